// The facts of a plugin as they stand in its ELF note (sdk/include/lotse/abi/entry.h), read from the file without
// running or mapping any of it. The file is not trusted: every offset and size is checked against its length.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/result.h"

namespace lotse::plugin {

struct Note {
  uint32_t abi_major = 0, abi_minor = 0;
  std::string name, version, summary;
  std::vector<std::string> kinds;  // "state"
  std::vector<std::string> needs;  // host services
  int threads = 0;                 // that an instance starts of its own
};

// kInvalid with a sentence that does not name the file.
Result<Note> read_note(const std::string& path);
// The description of the note: two numbers and lines of key=value.
Result<Note> parse_note(std::string_view description);
// "" or why a plugin of that version cannot be used: names both versions.
std::string version_problem(uint32_t abi_major, uint32_t abi_minor);

}  // namespace lotse::plugin
