// Frames on a stream socket: four bytes of length, big-endian, and a MessagePack map. For the control socket; blocking,
// bounded by the socket's own timeouts. [worker]
#pragma once
#include "core/base/msgpack.h"

namespace lotse {

inline constexpr size_t kFrameMax = 1024 * 1024;

// kServiceUnavailable: the other side has gone; kTimeout: it did not take or send anything for too long.
Status write_frame(int fd, const MsgValue& frame);
Result<MsgValue> read_frame(int fd, size_t bytes_max = kFrameMax);
// The length at the front of a frame, once four bytes are there.
std::optional<size_t> frame_length(std::string_view bytes);

// A unix stream socket that is connected to or bound at path; a path longer than the kernel's 107 bytes works too.
Result<int> connect_unix(const std::string& path);
Result<int> listen_unix(const std::string& path, int backlog);  // 0600 from the first moment; non-blocking

}  // namespace lotse
