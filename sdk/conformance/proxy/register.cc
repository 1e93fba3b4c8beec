// The proxy suite as cases of lotse-plugin-check: each directly, and unless it is slow once more through the loopback marshaller and
// in a process of its own.
#include "sdk/conformance/check.h"
#include "sdk/conformance/check_host.h"
#include "sdk/conformance/proxy/bed.h"

namespace lotse::conformance {
namespace {

enum class Way { kDirect, kLoopback, kProcess };

void run(const ProxyCase& c, const check::Subject& subject, Way way) {
  try {
    auto make = [&] {
      const lotse_instance* made = way == Way::kProcess ? check::create_apart(subject, "proxy") : check::create(subject);
      return reinterpret_cast<const lotse_proxy*>(made);
    };
    ProxyBed bed(make, way == Way::kLoopback, subject.seed);
    if (c.needs_traffic && bed.info()["families"].items().empty()) check::skip("this mode names no family: it sends no traffic");
    c.run(bed);
  } catch (const Wrong& wrong) {
    check::fail(wrong.what);
  }
}

[[maybe_unused]] const bool registered = [] {
  for (auto [way, prefix] : {std::pair{Way::kDirect, "direct."}, {Way::kLoopback, "loopback."}, {Way::kProcess, "process."}})
    for (auto& some : {address_cases(), policy_cases(), change_cases(), neighbour_cases(), family_cases()})
      for (const ProxyCase& c : some) {
        if (way != Way::kDirect && c.slow) continue;
        check::cases().push_back({"proxy", std::string(prefix) + c.name, c.says,
                                  [c, way = way](const check::Subject& subject) { run(c, subject, way); }, 120,
                                  Lab::begin});
      }
  return true;
}();

}  // namespace
}  // namespace lotse::conformance
