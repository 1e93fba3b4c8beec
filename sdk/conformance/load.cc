#include "sdk/conformance/load.h"

#include <dlfcn.h>

#include <stdexcept>

namespace lotse::check {

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{{"transport", LOTSE_FACTORY_TRANSPORT},
                                     {"state", LOTSE_FACTORY_STATE},
                                     {"scheduler", LOTSE_FACTORY_SCHEDULER},
                                     {"runtime", LOTSE_FACTORY_RUNTIME},
                                     {"proxy", LOTSE_FACTORY_PROXY}};
  return all;
}

const lotse_plugin* load(const std::string& path) {
  std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(std::string("it does not load: ") + dlerror());
  auto* plugin = static_cast<const lotse_plugin*>(dlsym(library, LOTSE_PLUGIN_ENTRY_SYMBOL));
  if (plugin == nullptr) throw std::runtime_error("it exports no " LOTSE_PLUGIN_ENTRY_SYMBOL);
  if (plugin->magic != LOTSE_PLUGIN_MAGIC) throw std::runtime_error("its entry has the wrong magic");
  if (plugin->abi_major != LOTSE_ABI_MAJOR || plugin->abi_minor > LOTSE_ABI_MINOR) {
    throw std::runtime_error("it was made for ABI " + std::to_string(plugin->abi_major) + "." +
                             std::to_string(plugin->abi_minor) + ", and this program checks " +
                             std::to_string(LOTSE_ABI_MAJOR) + "." + std::to_string(LOTSE_ABI_MINOR));
  }
  if (!LOTSE_HAS(plugin, lotse_plugin, get_factory) || plugin->get_factory == nullptr) {
    throw std::runtime_error("its entry is cut short: there is no get_factory");
  }
  return plugin;
}

}  // namespace lotse::check
