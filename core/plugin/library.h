// A plugin's library, loaded and its entry checked. It is never unloaded: code of it may be on some stack, and
// thread-local destructors of it may run late. Libraries with unresolved symbols are refused (RTLD_NOW), and nothing
// that they export is seen by others (RTLD_LOCAL). Boost.DLL stays in library.cc.
#pragma once
#include <string>

#include "core/base/result.h"
#include "core/plugin/discovery.h"
#include "lotse/abi/entry.h"

namespace lotse::plugin {

// [init] The entry, whose magic, version, size and functions have been looked at. The Status names the file.
Result<const lotse_plugin*> load_library(const Found& found);

// [init] The factory for a kind, checked likewise.
Result<const lotse_factory*> find_factory(const Found& found, const lotse_plugin* entry, const std::string& kind);

// "" or what is wrong with the struct that create returned: its size, a function that is missing.
std::string instance_problem(const std::string& kind, const lotse_instance* instance);

}  // namespace lotse::plugin
