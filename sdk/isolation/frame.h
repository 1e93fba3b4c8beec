// Frame: what crosses between a daemon and a plugin in another process. Each function of a kind whose calls are messages is a
// number (functions.h), each call and stream an id that the near end (the daemon's) gives out.
//
// On a socket: length of what follows (4 bytes), type (1), id (4), number (4), value (8), payload; little-endian.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace lotse::isolation {

enum class FrameType : uint8_t {
  // near -> far
  kCall = 1,      // number: function, value: deadline (CLOCK_MONOTONIC, 0: none), payload: request
  kCancelled,     // the caller has lost interest in the call
  kOpen,          // number: function, payload: request
  kGrant,         // value: bytes
  kWrite,         // number: channel, payload: data
  kHalfClose,     // number: channel
  kControl,       // number: kind, payload
  kCancel,        // the stream
  kRelease,       // the stream
  kPing,          // answered from the plugin's loop
  kReconfigure,   // payload: values; answered by kDone
  kDestroy,       // answered by kBye once the instance is gone
  kCreate,        // payload: what to make; answered by kDone
  // far -> near
  kDone = 32,     // number: code, payload: answer or sentence
  kAskCancelled,  // is anybody still interested in the call?
  kOpened,        // number: code, payload: sentence
  kItem,          // number: channel, payload
  kWritable,      // value: bytes
  kEnd,           // number: code, payload: result or sentence
  kRefused,       // number: channel, value: bytes: a write was not taken, as the channel takes none
  kPong,
  kBye,
  kLog,           // number: level, payload: MessagePack [event, message, key, value, ...]
  kFault,         // payload: MessagePack [id, reason, message]; no reason: it is over
};

struct Frame {
  FrameType type{};
  uint32_t id = 0, number = 0;
  int64_t value = 0;
  std::string payload;
};

inline constexpr size_t kFrameMax = 64 << 20;  // no answer of a plugin is longer

void append_frame(std::string* out, const Frame& frame);

// Cuts what was read into frames.
class FrameReader {
 public:
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  // False: there is no whole frame yet.
  bool next(Frame* out);
  bool broken() const { return broken_; }  // a length that no frame has

 private:
  std::string buffer_;
  size_t at_ = 0;
  bool broken_ = false;
};

}  // namespace lotse::isolation
