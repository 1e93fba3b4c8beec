// The compiled tables, made by compile_kinds.py from kinds/*.kinds. Private to this room.
#pragma once
#include "core/schema/schema.h"

namespace lotse::schema::table {

inline constexpr uint16_t kNone = 0xffff;

struct Extra {
  Text merge_key, fallback;
  uint16_t keys, key_count, choices, choice_count;  // in kWords
};

extern const char kPool[];
extern const Text kWords[];
extern const Extra kExtras[];
extern const FieldInfo kFields[];
extern const TypeInfo kTypes[];  // sorted by name
extern const size_t kTypeCount;
extern const ResourceInfo kResources[];  // those that are served, then kinds that are only sent
extern const ResourceInfo* const kServed[];
extern const size_t kServedCount, kResourceCount;

}  // namespace lotse::schema::table
