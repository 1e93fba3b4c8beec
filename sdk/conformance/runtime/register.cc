// The runtime suite as cases of lotse-plugin-check: each directly, through the loopback marshaller, and in a
// process of its own.
//
// What the cases need of their surroundings comes from the environment (README.md); without an image, those that need
// real processes are skipped.
#include <stdlib.h>
#include <sys/stat.h>

#include "sdk/conformance/check.h"
#include "sdk/conformance/check_host.h"
#include "sdk/conformance/runtime/cases.h"

namespace lotse::conformance {
namespace {

std::string setting_of(const char* name, const char* otherwise = "") {
  const char* value = getenv(name);
  return value != nullptr ? value : otherwise;
}

enum class Way { kDirect, kLoopback, kProcess };

void run(const RuntimeCase& c, const check::Subject& subject, Way way) {
  RuntimeSetting setting;
  setting.directory = subject.host->directory() + "/logs";
  mkdir(setting.directory.c_str(), 0700);
  setting.image = setting_of("LOTSE_RUNTIME_IMAGE");
  setting.pause_image = setting_of("LOTSE_RUNTIME_PAUSE_IMAGE", "lotse.local/pause:1");
  setting.archive = setting_of("LOTSE_RUNTIME_ARCHIVE");
  setting.archive_image = setting_of("LOTSE_RUNTIME_ARCHIVE_IMAGE");
  setting.corrupt_archive = setting_of("LOTSE_RUNTIME_CORRUPT_ARCHIVE");
  setting.cni = setting_of("LOTSE_RUNTIME_CNI");
  setting.cgroup_parent = setting_of("LOTSE_RUNTIME_CGROUP_PARENT");
  setting.processes = !setting.image.empty();
  if (c.needs_processes && !setting.processes)
    check::skip("needs a runtime with real processes and LOTSE_RUNTIME_IMAGE");
  if (setting.image.empty()) setting.image = "lotse.local/none:1";
  auto make = [&] {
    const lotse_instance* made = way == Way::kProcess ? check::create_apart(subject, "runtime") : check::create(subject);
    return reinterpret_cast<const lotse_runtime*>(made);
  };
  std::string wrong = run_case(c, setting, make, way == Way::kLoopback);
  if (!wrong.empty()) check::fail(wrong);
}

[[maybe_unused]] const bool registered = [] {
  for (auto [way, prefix] : {std::pair{Way::kDirect, "direct."}, {Way::kLoopback, "loopback."}, {Way::kProcess, "process."}}) {
    for (const RuntimeCase& c : runtime_cases()) {
      check::cases().push_back({"runtime", std::string(prefix) + c.name, c.says,
                                [c, way = way](const check::Subject& subject) { run(c, subject, way); }, 120});
    }
  }
  return true;
}();

}  // namespace
}  // namespace lotse::conformance
