#include "sdk/isolation/frame.h"

#include <cstring>

namespace lotse::isolation {
namespace {
constexpr size_t kHead = 17;  // type, id, number, value

template <class T>
void put(std::string* out, T v) {
  out->append(reinterpret_cast<const char*>(&v), sizeof v);
}
template <class T>
T get(const char* from) {
  T v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
}  // namespace

void append_frame(std::string* out, const Frame& f) {
  put(out, static_cast<uint32_t>(kHead + f.payload.size()));
  put(out, static_cast<uint8_t>(f.type));
  put(out, f.id);
  put(out, f.number);
  put(out, f.value);
  out->append(f.payload);
}

bool FrameReader::next(Frame* out) {
  const size_t have = buffer_.size() - at_;
  const uint32_t length = have >= 4 ? get<uint32_t>(buffer_.data() + at_) : 0;
  broken_ = have >= 4 && (length < kHead || length > kHead + kFrameMax);
  if (have < 4 || broken_ || have < 4 + size_t{length}) {
    buffer_.erase(0, at_);
    at_ = 0;
    return false;
  }
  const char* p = buffer_.data() + at_ + 4;
  out->type = static_cast<FrameType>(get<uint8_t>(p));
  out->id = get<uint32_t>(p + 1);
  out->number = get<uint32_t>(p + 5);
  out->value = get<int64_t>(p + 9);
  out->payload.assign(p + kHead, length - kHead);
  at_ += 4 + length;
  return true;
}

}  // namespace lotse::isolation
