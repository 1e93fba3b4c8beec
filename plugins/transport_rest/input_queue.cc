#include "plugins/transport_rest/input_queue.h"

namespace lotse::transport_rest {

void InputQueue::push(std::string_view bytes) {
  if (bytes.empty() || closing_ || dropped_) return;
  size_ += bytes.size();
  if (!pieces_.empty() && pieces_.back().size() + bytes.size() <= kPieceBytes) {
    pieces_.back().append(bytes);
  } else {
    pieces_.emplace_back(bytes);
  }
}

size_t InputQueue::flush(ByteStream& stream) {
  size_t gone = 0;
  while (!pieces_.empty() && stream.write(channel_, pieces_.front())) {
    gone += pieces_.front().size();
    pieces_.pop_front();
  }
  size_ -= gone;
  if (pieces_.empty() && closing_ && !closed_) {
    closed_ = true;
    stream.half_close(channel_);
  }
  return gone;
}

void InputQueue::drop() {
  dropped_ = true;
  pieces_.clear();
  size_ = 0;
}

}  // namespace lotse::transport_rest
