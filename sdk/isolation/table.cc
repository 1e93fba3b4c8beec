#include "sdk/isolation/table.h"

#include <cstring>

#include "lotse/error.hpp"

namespace lotse::isolation {
namespace {
constexpr size_t kCallsMax = 32, kStreamsMax = 8;
}

template <size_t Index>
void Table::call_c(void* self, lotse_bytes request, const lotse_call* call) {
  std::string why;
  if (auto end = static_cast<Table*>(self)->near(&why)) return end->call(Index, request, call);
  call->done(call->ctx, LOTSE_UNAVAILABLE, sdk::bytes(why));
}

template <size_t Index>
int32_t Table::open_c(void* self, lotse_bytes request, const lotse_stream_sink* sink, lotse_stream* stream,
                      lotse_error* error) {
  std::string why;
  if (auto end = static_cast<Table*>(self)->near(&why)) return end->open(Index, request, sink, stream, error);
  if (error) {
    error->code = LOTSE_UNAVAILABLE;
    std::strncpy(error->message, why.c_str(), sizeof error->message - 1);
  }
  return LOTSE_UNAVAILABLE;
}

template <class Fn>
void Table::set(size_t offset, Fn fn) {
  std::memcpy(reinterpret_cast<char*>(memory_.data()) + offset, &fn, sizeof fn);
}
template <size_t... I>
void Table::fill_calls(const Functions& functions, std::index_sequence<I...>) {
  ((I < functions.calls.size() ? set<lotse_message_fn>(functions.calls[I], call_c<I>) : void()), ...);
}
template <size_t... I>
void Table::fill_streams(const Functions& functions, std::index_sequence<I...>) {
  ((I < functions.streams.size() ? set<lotse_message_stream_fn>(functions.streams[I], open_c<I>) : void()), ...);
}

Table::Table(const Functions& functions) : memory_((functions.size + 7) / 8) {
  static_assert(kCallsMax >= 21 && kStreamsMax >= 5);
  const lotse_instance base{functions.size,
                            0,
                            this,
                            [](void* self) { static_cast<Table*>(self)->destroy(); },
                            [](void*, const char*) -> const void* { return nullptr; },
                            [](void* self, lotse_bytes config, lotse_error* error) {
                              return static_cast<Table*>(self)->reconfigure(config, error);
                            }};
  std::memcpy(memory_.data(), &base, sizeof base);
  fill_calls(functions, std::make_index_sequence<kCallsMax>());
  fill_streams(functions, std::make_index_sequence<kStreamsMax>());
}

}  // namespace lotse::isolation
