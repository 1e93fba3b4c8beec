// Calls a function of a plugin's table through the ABI, and waits: what the cases of the message kinds are written
// with.
#pragma once
#include <string>

#include "lotse/abi/runtime.h"
#include "lotse/msgpack.hpp"

namespace lotse::conformance {

using sdk::Msg;

// A case ends with the first thing that is wrong.
struct Wrong {
  std::string what;
};
void require(bool holds, const std::string& otherwise);

struct Answer {
  int32_t code = LOTSE_OK;
  std::string text;  // the sentence, if code is not LOTSE_OK
  Msg value;
  bool ok() const { return code == LOTSE_OK; }
};
Answer answer_of(int32_t code, lotse_bytes payload);

Answer call(void* self, lotse_message_fn function, std::string_view request, int64_t timeout_ns = 0);

}  // namespace lotse::conformance
