// The proxy suite as cases of lotse-plugin-check: each directly, and once more through the loopback marshaller unless
// it is slow.
#include "sdk/conformance/check.h"
#include "sdk/conformance/check_host.h"
#include "sdk/conformance/proxy/bed.h"

namespace lotse::conformance {
namespace {

void run(const ProxyCase& c, const check::Subject& subject, bool loopback) {
  try {
    ProxyBed bed([&subject] { return reinterpret_cast<const lotse_proxy*>(check::create(subject)); }, loopback,
                 subject.seed);
    if (c.needs_traffic && bed.info()["families"].items().empty()) check::skip("this mode names no family: it sends no traffic");
    c.run(bed);
  } catch (const Wrong& wrong) {
    check::fail(wrong.what);
  }
}

[[maybe_unused]] const bool registered = [] {
  for (bool loopback : {false, true})
    for (auto& some : {address_cases(), policy_cases(), change_cases(), neighbour_cases(), family_cases()})
      for (const ProxyCase& c : some) {
        if (loopback && c.slow) continue;
        check::cases().push_back({"proxy", std::string(loopback ? "loopback." : "direct.") + c.name, c.says,
                                  [c, loopback](const check::Subject& subject) { run(c, subject, loopback); }, 120,
                                  Lab::begin});
      }
  return true;
}();

}  // namespace
}  // namespace lotse::conformance
