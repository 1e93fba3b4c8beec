// Frames: what crosses the bus. One ZeroMQ message each, a MessagePack array that begins with the frame's type and the
// session's epoch. core/bus/README.md has the table; the numbers are permanent.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace lotse::bus {

inline constexpr int kProtocol = 1;
inline constexpr size_t kFrameBytesMax = 64 * 1024;  // whole frames; a larger one is refused by the socket
inline constexpr size_t kDataBytesMax = 60 * 1024;   // payload of one data frame
inline constexpr size_t kItemBytesMax = 16 * 1024 * 1024;  // an item put together from data frames

inline constexpr uint64_t kResetUnknownKey = 1;  // a reset's number: it is the node's key that is not known (any more)

enum class FrameType : uint8_t {
  kHello = 1, kWelcome = 2, kReset = 3, kPing = 4, kPong = 5,
  kOpen = 6, kData = 7, kEnd = 8, kGrant = 9, kWritable = 10, kHalfClose = 11, kControl = 12, kCancel = 13,
};

struct Frame {
  FrameType type = FrameType::kPing;
  uint64_t epoch = 0;
  uint64_t stream = 0;     // 0: the session itself
  uint64_t number = 0;     // ping, pong: a counter; grant, writable: bytes; control: kind; open: credit; end: Reason; reset: below
  uint32_t channel = 0;    // data, half-close
  bool more = false;       // data: the item goes on in the next data frame of this stream and channel
  std::string text;        // open: kind; end, reset: a sentence
  Bytes payload;           // data; open: arguments; end: result; control; hello, welcome: a MessagePack map
};

std::string encode(const Frame& frame);
Result<Frame> decode(std::string_view bytes);  // kBadRequest for anything that is not a whole frame

}  // namespace lotse::bus
