// SPDX-License-Identifier: Apache-2.0
//
// The functions of kinds whose calls are messages (runtime, proxy): MessagePack in, MessagePack out.
#pragma once
#include "lotse/abi/runtime.h"
#include "lotse/call.hpp"
#include "lotse/plugin.hpp"
#include "lotse/stream.hpp"

namespace lotse::sdk {

// A request comes from the host, which has made it: as large as it is (30,000 Services are more than a million values), it is taken. It has no
// more values than bytes.
inline Msg request_map(lotse_bytes request) { return request.size ? Msg::parse(view(request), 32, request.size) : Msg::map(); }

// Calls fn(request, call); what it throws fails the call.
template <class Fn>
void answer_message(const char* where, lotse_bytes request, const lotse_call* raw, const Fn& fn) noexcept {
  try {
    Call call(*raw);
    try {
      fn(request_map(request), call);
    } catch (...) {
      call.fail_caught(where);
    }
  } catch (...) {  // no memory for the Call: nothing else knows of it yet
    raw->done(raw->ctx, LOTSE_INTERNAL, bytes("out of memory"));
  }
}

// A member function of CLASS as a lotse_message_fn or lotse_message_stream_fn.
#define LOTSE_SDK_MESSAGE(CLASS, NAME)                                                                               \
  [](void* self, lotse_bytes request, const lotse_call* call) {                                                      \
    answer_message(#NAME, request, call, [&](const Msg& msg, Call c) { as<CLASS>(self)->NAME(msg, std::move(c)); }); \
  }
#define LOTSE_SDK_STREAM(CLASS, NAME)                                                                                 \
  [](void* self, lotse_bytes request, const lotse_stream_sink* sink, lotse_stream* stream, lotse_error* error) {      \
    return open_stream(#NAME, sink, stream, error,                                                                    \
                       [&] { return as<CLASS>(self)->NAME(request_map(request)); });                                   \
  }

}  // namespace lotse::sdk
