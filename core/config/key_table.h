// Key tables: what may stand in a section. One description serves the check, the default, the commented sample and the
// manual. The core's own sections (sections.h) and the plugins' declarations come in this one form.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/base/msgpack.h"
#include "core/config/toml.h"

namespace lotse::config {

enum class KeyType { kString = 1, kInteger, kBoolean, kStrings, kDuration, kSize, kTable };  // numbered as in the ABI

struct Key {
  std::string name;
  KeyType type = KeyType::kString;
  std::string doc = {};
  std::optional<std::string> fallback = {};  // as it would stand in the file, strings without quotes
  bool required = false, reloadable = false, secret = false;
  std::vector<std::string> choices = {};  // strings, and each of an array of strings
  int64_t minimum = 0, maximum = 0;       // both 0: no range
  // A further check of a string, or of each in an array: "" or what is wrong ("is no network such as ...").
  std::string (*check)(std::string_view text) = nullptr;
};

struct Section {
  std::string name;  // "bus", "plugins.runtime.containerd"
  std::string doc = {};
  std::vector<Key> keys;
};

// The values of a section: every key that was given or has a fallback; durations in ns and sizes in bytes. `given` may
// be null: the file has no such section. What is wrong goes to *complaints.
MsgValue check_section(const Section& section, const TomlMember* given, Complaints* complaints);
// Whether the declaration itself is sound (fallback of the right type and within range, unique names): "" or a
// sentence.
std::string check_declaration(const Section& section);
// The section as text, with a comment a key and the defaults filled in.
std::string sample_of(const Section& section);

}  // namespace lotse::config
