// A stream inside the core: sdk/include/lotse/abi/stream.h in C++. The same rules: items in order and never
// re-entrant, credit in bytes both ways, on_end exactly once and last.
#pragma once
#include <cstdint>
#include <memory>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/status.h"

namespace lotse {

inline constexpr uint64_t kStreamWindow = 256 * 1024;  // LOTSE_STREAM_WINDOW
enum Channel : uint32_t { kStdin = 0, kStdout = 1, kStderr = 2, kErrorChannel = 3 };
enum class Control : uint32_t { kResize = 1, kSignal = 2 };  // payloads as in the ABI

// The opener's side: called by the producer.
class StreamSink {
 public:
  virtual ~StreamSink() = default;
  virtual void on_item(uint32_t channel, Bytes item) = 0;
  virtual void on_writable(uint64_t bytes) { (void)bytes; }
  // With an ok status `result` is what the stream's kind documents (exec: MessagePack {"exit_code"}), else empty.
  virtual void on_end(Status status, Bytes result) = 0;
};

// The producer's side: called by the opener, from any thread. Destroying it cancels; on_end may still come, so the
// sink must live until then (it is shared).
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void grant(uint64_t bytes) = 0;
  virtual bool write(uint32_t channel, Bytes data) { (void)channel, (void)data; return false; }  // false: no credit, not taken
  virtual void half_close(uint32_t channel) { (void)channel; }
  virtual bool control(Control kind, Bytes payload) { (void)kind, (void)payload; return false; }
  virtual void cancel() = 0;
};

using StreamPtr = std::unique_ptr<Stream>;
using SinkPtr = std::shared_ptr<StreamSink>;

}  // namespace lotse
