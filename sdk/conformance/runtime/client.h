// Calls a runtime through the ABI, and waits: what the cases are written with.
#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "sdk/conformance/call.h"

namespace lotse::conformance {

inline Answer call(const lotse_runtime* runtime, lotse_message_fn function, std::string_view request,
                   int64_t timeout_ns = 0) {
  return call(runtime->base.self, function, request, timeout_ns);
}

// The opener's side of a stream.
class Stream {
 public:
  Stream(const lotse_runtime* runtime, lotse_message_stream_fn function, const Msg& request);
  ~Stream();  // cancels what has not ended, and waits for the end

  int32_t opened() const { return opened_; }
  std::string refusal() const { return refusal_; }
  void grant(uint64_t bytes) { stream_.grant(stream_.self, bytes); }
  int32_t write(std::string_view data, uint32_t channel = LOTSE_STDIN);
  // Writes all of it, waiting for credit.
  void write_all(std::string_view data);
  void half_close(uint32_t channel = LOTSE_STDIN) { stream_.half_close(stream_.self, channel); }
  int32_t control(uint32_t kind, const Msg& payload);
  void cancel() { stream_.cancel(stream_.self); }

  // All of these wait, and throw Wrong after half a minute or so.
  Answer end();
  std::string output(uint32_t channel);                       // so far
  void wait_output(uint32_t channel, std::string_view text);  // until it is in there
  Msg next_item();                                            // of a stream of MessagePack items
  bool ended() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  lotse_stream stream_{};
  lotse_stream_sink sink_{};
  int32_t opened_ = LOTSE_INTERNAL;
  std::string refusal_;
};

}  // namespace lotse::conformance
