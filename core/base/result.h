// Result<T>: a value, or the Status that says why there is none. For what can be expected; exceptions come from
// libraries only and are caught at a room's edge.
#pragma once
#include <cassert>
#include <optional>
#include <utility>

#include "core/base/status.h"

namespace lotse {

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Status status) : status_(std::move(status)) { assert(!status_.ok()); }
  bool ok() const { return value_.has_value(); }
  explicit operator bool() const { return ok(); }
  // REQUIRES: ok()
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return std::move(*value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }
  const Status& status() const { return status_; }  // ok when there is a value

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace lotse

// TRY(auto x, f()): x is the value, or the function returns the Status.
#define LOTSE_CONCAT_(a, b) a##b
#define LOTSE_CONCAT(a, b) LOTSE_CONCAT_(a, b)
#define LOTSE_TRY(decl, ...)                                                   \
  auto LOTSE_CONCAT(try_, __LINE__) = (__VA_ARGS__);                           \
  if (!LOTSE_CONCAT(try_, __LINE__).ok()) return LOTSE_CONCAT(try_, __LINE__).status(); \
  decl = *std::move(LOTSE_CONCAT(try_, __LINE__))
#define LOTSE_CHECK_OK(...)                                  \
  do {                                                       \
    if (auto s_ = (__VA_ARGS__); !s_.ok()) return s_;        \
  } while (0)
