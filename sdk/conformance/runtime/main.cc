// runtime_suite PLUGIN.so NAME [key=value]... [--setting=value]... [--prepare=TAR]... [--only=CASE]... [--loopback]
// [--verbose]
//
// Runs the runtime suite on a plugin, one line a case; the exit code tells. key=value goes into the plugin's
// configuration as text.
#include <dlfcn.h>
#include <sys/stat.h>

#include <cstdio>
#include <memory>
#include <set>

#include "lotse/abi/entry.h"
#include "lotse/call.hpp"
#include "sdk/conformance/runtime/cases.h"
#include "sdk/conformance/runtime/test_host.h"

using namespace lotse::conformance;
using lotse::sdk::Msg;

namespace {

struct Options {
  std::string plugin, host_directory;
  Msg config = Msg::map();
  RuntimeSetting setting;
  std::set<std::string> only;
  std::vector<std::string> prepare;  // archives to import first
  bool loopback = false, verbose = false;
};

bool take(const std::string& argument, const std::string& name, std::string* out) {
  if (argument.compare(0, name.size() + 1, name + "=") != 0) return false;
  *out = argument.substr(name.size() + 1);
  return true;
}

Options options_of(int argc, char** argv) {
  Options o;
  std::string value;
  for (int i = 1; i < argc; i++) {
    std::string a = argv[i];
    if (a == "--loopback")
      o.loopback = true;
    else if (a == "--verbose")
      o.verbose = true;
    else if (a == "--no-processes")
      o.setting.processes = false;
    else if (take(a, "--only", &value))
      o.only.insert(value);
    else if (take(a, "--prepare", &value))
      o.prepare.push_back(value);
    else if (take(a, "--host", &o.host_directory) || take(a, "--directory", &o.setting.directory) ||
             take(a, "--image", &o.setting.image) || take(a, "--pause-image", &o.setting.pause_image) ||
             take(a, "--archive", &o.setting.archive) || take(a, "--archive-image", &o.setting.archive_image) ||
             take(a, "--corrupt-archive", &o.setting.corrupt_archive) || take(a, "--cni", &o.setting.cni) ||
             take(a, "--cgroup-parent", &o.setting.cgroup_parent)) {
    } else if (auto equals = a.find('='); equals != std::string::npos && a[0] != '-') {
      o.config.set(a.substr(0, equals), a.substr(equals + 1));
    } else {
      o.plugin = a;
    }
  }
  return o;
}

}  // namespace

int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  Options o = options_of(argc, argv);
  void* library = dlopen(o.plugin.c_str(), RTLD_NOW | RTLD_LOCAL);
  auto* plugin = library ? static_cast<const lotse_plugin*>(dlsym(library, LOTSE_PLUGIN_ENTRY_SYMBOL)) : nullptr;
  const lotse_factory* factory = plugin ? plugin->get_factory(LOTSE_FACTORY_RUNTIME) : nullptr;
  if (factory == nullptr)
    return fprintf(stderr, "%s is no runtime plugin: %s\n", o.plugin.c_str(), library ? "" : dlerror()), 2;
  for (uint32_t i = 0; i < factory->key_count; i++) {
    const lotse_key& key = factory->keys[i];
    if (key.fallback != nullptr && !o.config.has(key.name)) {
      o.config.set(key.name, key.type == LOTSE_KEY_STRING ? Msg(key.fallback) : Msg(atoll(key.fallback)));
    }
  }
  TestHost host(o.host_directory, o.verbose);
  std::string config = o.config.encode();
  auto make = [&]() -> const lotse_runtime* {
    lotse_error error{sizeof error, 0, ""};
    auto* made = factory->create(host.host(), lotse::sdk::bytes(config), &error);
    if (made == nullptr) throw Wrong{std::string("the plugin cannot be made: ") + error.message};
    return reinterpret_cast<const lotse_runtime*>(made);
  };
  int failed = 0, ran = 0;
  RuntimeCase prepare{"prepare", "imports what the cases need", false, [](RuntimeBed&) {}};
  if (!o.prepare.empty()) {
    static const Options* options = &o;
    prepare.run = [](RuntimeBed& bed) {
      for (auto& path : options->prepare) bed.must(&lotse_runtime::image_import, Msg::map({{"path", path}}));
    };
    std::string wrong = run_case(prepare, o.setting, make, o.loopback);
    if (!wrong.empty()) return printf("FAIL prepare: %s\n", wrong.c_str()), 1;
  }
  for (auto& c : runtime_cases()) {
    if ((!o.only.empty() && o.only.count(c.name) == 0) || (c.needs_processes && !o.setting.processes)) continue;
    int64_t began = lotse::sdk::monotonic_ns();
    std::string wrong = run_case(c, o.setting, make, o.loopback);
    printf("%-4s %-18s %6.2f s  %s%s%s\n", wrong.empty() ? "ok" : "FAIL", c.name,
           static_cast<double>(lotse::sdk::monotonic_ns() - began) / 1e9, c.says, wrong.empty() ? "" : ": ",
           wrong.c_str());
    failed += !wrong.empty();
    ran++;
  }
  printf("%d cases, %d failed%s\n", ran, failed, o.loopback ? ", through the loopback marshaller" : "");
  return failed == 0 && ran > 0 ? 0 : 1;
}
