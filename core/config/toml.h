// A TOML file as a tree with the place of every key and value. toml++ stays in toml.cc, which also keeps hostile files
// from hurting: at most 1 MiB, 32 levels.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/config/complaint.h"

namespace lotse::config {

inline constexpr size_t kFileMax = 1024 * 1024;
inline constexpr size_t kDepthMax = 32;

struct TomlMember;
struct TomlValue {
  enum class Type { kNone, kString, kInteger, kReal, kBoolean, kTime, kArray, kTable };
  Type type = Type::kNone;
  Place place;
  std::string text;     // kString; kTime as it stands in the file
  int64_t integer = 0;  // kInteger
  double real = 0;      // kReal
  bool boolean = false;
  std::vector<TomlValue> items;     // kArray
  std::vector<TomlMember> members;  // kTable, in the order of the file

  const TomlMember* find(std::string_view key) const;
  std::string_view type_name() const;  // "a string", "an array", ...
};
struct TomlMember {
  std::string key;
  Place place;  // of the key
  TomlValue value;
};

// The whole file as a table. A syntax error is one complaint, and the table is then empty.
TomlValue parse_toml(std::string_view text, Complaints* complaints);

}  // namespace lotse::config
