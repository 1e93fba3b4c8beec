// SPDX-License-Identifier: Apache-2.0
//
// How a plugin says that something went wrong: it throws a Failure with one of the ABI's codes and a sentence for
// people. Nothing that is thrown leaves the plugin: every function that the host calls catches what comes and
// turns it into a code (a Failure into its own, anything else into LOTSE_INTERNAL).
#pragma once
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

#include "lotse/abi/types.h"

namespace lotse::sdk {

inline std::string_view view(lotse_bytes b) {
  return {static_cast<const char*>(b.data), b.size};
}
inline lotse_bytes bytes(std::string_view text) {
  return {text.data(), text.size()};
}

class Failure : public std::runtime_error {
 public:
  Failure(int32_t code, const std::string& sentence) : std::runtime_error(sentence), code_(code) {}
  int32_t code() const { return code_; }  // enum lotse_code

 private:
  int32_t code_;
};

struct Caught {
  int32_t code = LOTSE_OK;
  std::string sentence;
};

// REQUIRES: called from within a catch block.
inline Caught caught(const char* where) {
  try {
    throw;
  } catch (const Failure& failure) {
    return {failure.code() == LOTSE_OK ? int32_t(LOTSE_INTERNAL) : failure.code(), failure.what()};
  } catch (const std::exception& error) {
    return {LOTSE_INTERNAL, std::string("an exception came out of ") + where + ": " + error.what()};
  } catch (...) {
    return {LOTSE_INTERNAL, std::string("an exception of an unknown kind came out of ") + where};
  }
}

// Writes into the caller's lotse_error, which may be NULL or older and smaller than ours.
inline int32_t tell(lotse_error* error, int32_t code, std::string_view sentence) {
  if (error == nullptr || error->size <= offsetof(lotse_error, message)) return code;
  error->code = code;
  size_t room = error->size - offsetof(lotse_error, message);
  if (room > sizeof error->message) room = sizeof error->message;
  size_t length = sentence.size() < room - 1 ? sentence.size() : room - 1;
  if (length > 0) std::memcpy(error->message, sentence.data(), length);
  error->message[length] = '\0';
  return code;
}

// Runs fn and returns its code; what it throws goes into *error.
template <class Fn>
int32_t guarded(const char* where, lotse_error* error, Fn&& fn) noexcept {
  try {
    try {
      fn();
      return LOTSE_OK;
    } catch (...) {
      Caught c = caught(where);
      return tell(error, c.code, c.sentence);
    }
  } catch (...) {  // no memory for the sentence
    return tell(error, LOTSE_INTERNAL, "out of memory");
  }
}

}  // namespace lotse::sdk
