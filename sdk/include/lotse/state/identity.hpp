// SPDX-License-Identifier: Apache-2.0
//
// What every storage decides in the same way: its name, and which revisions can be read.
#ifndef LOTSE_STATE_IDENTITY_HPP
#define LOTSE_STATE_IDENTITY_HPP

#include <sys/random.h>

#include <lotse/state/storage.hpp>

namespace lotse::state {

// 32 hexadecimal digits by chance: one store is never taken for another.
inline std::string new_identity() {
  unsigned char bytes[16];
  if (getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes)) abort();
  std::string text;
  for (unsigned char byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

inline Status check_revision(const RangeQuery& query, uint64_t current, uint64_t compacted) {
  if (query.revision == 0 || query.pinned) return {};
  if (query.revision > current) {
    return {LOTSE_INVALID, "revision " + std::to_string(query.revision) + " has not been reached: the store is at " +
                               std::to_string(current)};
  }
  if (query.revision < compacted) {
    return {LOTSE_COMPACTED, "revision " + std::to_string(query.revision) +
                                 " has been compacted; the lowest that can be read is " + std::to_string(compacted)};
  }
  return {};
}

}  // namespace lotse::state
#endif
