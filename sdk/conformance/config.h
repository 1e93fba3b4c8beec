// The values that an instance is created with: the defaults of the plugin's keys, overridden by the lines of a file.
#pragma once

#include <lotse/abi/entry.h>

#include <string>

namespace lotse::check {

// `text`: lines "key = value" as in the plugin's own table of lotse.toml (no nested tables, arrays of strings on one
// line). Returns MessagePack; throws std::runtime_error with a sentence.
std::string make_config(const lotse_factory& factory, const std::string& text);

}  // namespace lotse::check
