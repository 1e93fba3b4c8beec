// Bytes of a client on their way to one channel of a host stream that may have no credit at the moment.
#pragma once
#include <deque>
#include <string>
#include <string_view>

#include "plugins/transport_rest/byte_stream.h"

namespace lotse::transport_rest {

class InputQueue {
 public:
  explicit InputQueue(uint32_t channel) : channel_(channel) {}
  void push(std::string_view bytes);
  void close() { closing_ = true; }
  // Passes on what the stream takes, then the end of input; returns how many bytes went.
  size_t flush(ByteStream& stream);
  size_t size() const { return size_; }
  void drop();  // nobody reads any more

 private:
  static constexpr size_t kPieceBytes = 64 * 1024;
  const uint32_t channel_;
  std::deque<std::string> pieces_;
  size_t size_ = 0;
  bool closing_ = false, closed_ = false, dropped_ = false;
};

}  // namespace lotse::transport_rest
