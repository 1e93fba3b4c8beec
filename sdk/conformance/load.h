// A plugin's library, loaded as the host loads it, and what its entry promises.
#pragma once

#include <lotse/abi/entry.h>

#include <string>
#include <vector>

namespace lotse::check {

struct Kind {
  const char* name;        // "state"
  const char* factory_id;  // "lotse.state/1"
};
const std::vector<Kind>& kinds();

// Throws std::runtime_error with a sentence.
const lotse_plugin* load(const std::string& path);

}  // namespace lotse::check
