#include "core/bus/frame.h"

#include "core/base/msgpack.h"

namespace lotse::bus {

// All frames have one layout: [type, epoch, stream, number, channel, more, text, payload]; trailing members that are empty are left out.
std::string encode(const Frame& f) {
  std::string out;
  out.reserve(48 + f.text.size() + f.payload.size());
  const uint32_t members = !f.payload.empty() ? 8 : !f.text.empty() ? 7 : f.more ? 6 : f.channel ? 5 : 4;
  MsgWriter w(&out);
  w.array(members).uinteger(static_cast<uint64_t>(f.type)).uinteger(f.epoch).uinteger(f.stream).uinteger(f.number);
  if (members > 4) w.uinteger(f.channel);
  if (members > 5) w.boolean(f.more);
  if (members > 6) w.str(f.text);
  if (members > 7) w.bin(f.payload.view());
  return out;
}

Result<Frame> decode(std::string_view bytes) {
  const Status bad(Reason::kBadRequest, "not a frame of the bus");
  if (bytes.size() > kFrameBytesMax) return Status(Reason::kRequestEntityTooLarge, "the frame is over 64 KiB");
  auto value = MsgValue::parse(bytes, MsgLimits{2, kFrameBytesMax, 16});
  if (!value.ok() || value->items().size() < 4 || value->items().size() > 8) return bad;
  const auto& m = value->items();
  for (size_t i = 0; i < 4; ++i)
    if (!m[i].is_int()) return bad;
  const uint64_t type = m[0].as_uint();
  if (type < 1 || type > static_cast<uint64_t>(FrameType::kCancel)) return bad;
  Frame f;
  f.type = static_cast<FrameType>(type);
  f.epoch = m[1].as_uint();
  f.stream = m[2].as_uint();
  f.number = m[3].as_uint();
  if (m.size() > 4) f.channel = static_cast<uint32_t>(m[4].as_uint());
  if (m.size() > 5) f.more = m[5].as_bool();
  if (m.size() > 6) f.text = m[6].as_text();
  if (m.size() > 7) f.payload = Bytes(m[7].as_text());
  return f;
}

}  // namespace lotse::bus
