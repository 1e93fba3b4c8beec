// SPDX-License-Identifier: Apache-2.0
//
// One commit as the queue holds it, and the rules by which an operation succeeds: abi/state.h in code.
#ifndef LOTSE_STATE_OPERATIONS_HPP
#define LOTSE_STATE_OPERATIONS_HPP

#include <lotse/state/storage.hpp>

namespace lotse::state {

struct Guard {
  std::string key;
  uint64_t revision = 0;
};

struct Operation {
  uint32_t kind = LOTSE_STATE_PUT;
  std::string key;
  std::string value;
  uint64_t expected = LOTSE_STATE_ANY;
  std::vector<Guard> guards;
  int64_t ttl_ns = 0;
  bool relaxed = false;
  int32_t refused = LOTSE_OK;  // breaks a limit: never tried

  size_t bytes() const { return key.size() + value.size(); }
};

inline constexpr size_t kGuardsMax = 16;
inline constexpr int64_t kTtlMaxNs = INT64_C(100) * 365 * 24 * 3600 * 1'000'000'000;

inline std::string_view view(lotse_bytes bytes) {
  return {static_cast<const char*>(bytes.data), bytes.size};
}

inline int32_t check_key(lotse_bytes key) {
  if (key.size == 0 || key.data == nullptr) return LOTSE_INVALID;
  return key.size > LOTSE_STATE_KEY_MAX ? LOTSE_TOO_LARGE : LOTSE_OK;
}

// LOTSE_OK, or why the operation can never succeed.
inline int32_t check(const lotse_state_op& op) {
  if (op.kind != LOTSE_STATE_PUT && op.kind != LOTSE_STATE_DELETE) return LOTSE_INVALID;
  if (op.durability != LOTSE_STATE_DURABLE && op.durability != LOTSE_STATE_RELAXED) return LOTSE_INVALID;
  if (op.ttl_ns < 0 || op.ttl_ns > kTtlMaxNs) return LOTSE_INVALID;
  if (int32_t code = check_key(op.key); code != LOTSE_OK) return code;
  if (op.value.size > LOTSE_STATE_VALUE_MAX || op.guard_count > kGuardsMax) return LOTSE_TOO_LARGE;
  for (size_t i = 0; i < op.guard_count; ++i) {
    if (int32_t code = check_key(op.guards[i].key); code != LOTSE_OK) return code;
  }
  return LOTSE_OK;
}

inline Operation copy(const lotse_state_op& op) {
  Operation copy;
  copy.refused = check(op);
  if (copy.refused != LOTSE_OK) return copy;
  copy.kind = op.kind;
  copy.key = view(op.key);
  if (op.kind == LOTSE_STATE_PUT) {
    copy.value = view(op.value);
    copy.ttl_ns = op.ttl_ns;
  }
  copy.expected = op.expected;
  for (size_t i = 0; i < op.guard_count; ++i)
    copy.guards.push_back({std::string(view(op.guards[i].key)), op.guards[i].revision});
  copy.relaxed = op.durability == LOTSE_STATE_RELAXED;
  return copy;
}

inline lotse_state_outcome outcome(int32_t code, uint64_t revision = 0, int32_t guard = -1) {
  lotse_state_outcome result{};
  result.size = sizeof result;
  result.code = code;
  result.revision = revision;
  result.guard = guard;
  return result;
}

// Runs one operation in the storage's open transaction. `revision` is the last one given out and grows when
// something changes.
inline lotse_state_outcome run(Storage& storage, const Operation& op, int64_t unix_now_ns, uint64_t& revision) {
  if (op.refused != LOTSE_OK) return outcome(op.refused);
  for (size_t i = 0; i < op.guards.size(); ++i) {
    uint64_t found = storage.head(op.guards[i].key);
    if (found != op.guards[i].revision) return outcome(LOTSE_CONFLICT, found, static_cast<int32_t>(i));
  }
  uint64_t head = storage.head(op.key);
  if (op.expected != LOTSE_STATE_ANY && op.expected != head) return outcome(LOTSE_CONFLICT, head);
  if (op.kind == LOTSE_STATE_DELETE && head == 0) return outcome(LOTSE_OK, 0);
  Change change;
  change.kind = op.kind;
  change.revision = ++revision;
  change.key = op.key;
  change.value = op.value;
  change.previous = head;
  change.expires_unix_ns = op.ttl_ns > 0 ? unix_now_ns + op.ttl_ns : 0;
  storage.apply(change);
  return outcome(LOTSE_OK, change.revision);
}

}  // namespace lotse::state
#endif
