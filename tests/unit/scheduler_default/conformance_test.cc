#include <catch2/catch.hpp>

#include "plugins/scheduler_binpack/binpack_policy.h"
#include "plugins/scheduler_default/default_policy.h"
#include "sdk/conformance/scheduler/cases.h"

namespace lotse {
namespace {
// A host that offers no service.
const lotse_host* bare_host() {
  static const lotse_host host{sizeof(lotse_host), 0, nullptr, "0.1.0",
                               [](void*, const char*) -> const void* { return nullptr; }};
  return &host;
}

template <class Policy>
void run_all() {
  for (const auto& c : check::scheduler::scheduler_cases()) {
    INFO(c.name << ": " << c.says);
    CHECK(c.run([] {
      sdk::Config config(sdk::Msg::map({{"owner_spread", true}, {"preemption", true}}));
      auto* made = new Policy(sdk::Host(bare_host()), config);
      return reinterpret_cast<const lotse_scheduler*>(made->c_instance());
    }) == "");
  }
}
}  // namespace

TEST_CASE("the default policy conforms") {
  run_all<scheduler_default::DefaultPolicy>();
}
TEST_CASE("the binpack policy conforms") {
  run_all<scheduler_binpack::BinpackPolicy>();
}

}  // namespace lotse
