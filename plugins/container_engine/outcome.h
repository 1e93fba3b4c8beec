// What a step came to: a value, or the code of the ABI and the sentence that the caller is answered with.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "lotse/error.hpp"

namespace lotse::container_engine {

struct Failure {
  int32_t code = LOTSE_INTERNAL;
  std::string message;

  [[noreturn]] void raise() const { throw sdk::Failure(code, message); }
};

template <class T>
class [[nodiscard]] Outcome {
 public:
  Outcome(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Outcome(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}

  bool ok() const { return state_.index() == 0; }
  int32_t code() const { return ok() ? LOTSE_OK : std::get<1>(state_).code; }
  T& operator*() { return std::get<0>(state_); }
  const T& operator*() const { return std::get<0>(state_); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  const Failure& failure() const { return std::get<1>(state_); }
  // The value, or the failure thrown.
  T take() && {
    if (!ok()) failure().raise();
    return std::move(std::get<0>(state_));
  }

 private:
  std::variant<T, Failure> state_;
};

struct Done {};
using Verdict = Outcome<Done>;

}  // namespace lotse::container_engine
