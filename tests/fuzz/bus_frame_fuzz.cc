// Frames of the bus as hostile bytes: what is read is written back alike; a session takes any sequence of frames without
// keeping more than its limits; a join string is refused or says what it holds.
#include <cstdlib>

#include "core/bus/bus.h"
#include "core/bus/frame.h"

using namespace lotse;
using namespace lotse::bus;

namespace {

struct Ignored : Stream {
  void grant(uint64_t) override {}
  bool write(uint32_t, Bytes) override { return true; }
  void half_close(uint32_t) override {}
  void cancel() override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  VirtualLoop loop;
  auto mux = Mux::make(loop, false, 1, [](const std::string&, Bytes, SinkPtr) -> Result<StreamPtr> { return StreamPtr(std::make_unique<Ignored>()); }, [] {});
  // The input is a row of frames, each behind its length in two bytes.
  for (size_t at = 0; at + 2 <= bytes.size();) {
    const size_t length = static_cast<size_t>(data[at]) << 8 | data[at + 1];
    const std::string_view part = bytes.substr(at + 2, length);
    at += 2 + length;
    auto frame = decode(part);
    if (!frame.ok()) continue;
    const std::string text = encode(*frame);
    auto again = decode(text);
    if (!again.ok() || encode(*again) != text) std::abort();
    if (!mux->receive(*frame).ok()) break;
    loop.run();
  }
  std::string out;
  for (int i = 0; i < 1000 && mux->next(&out); ++i)
    if (out.size() > kFrameBytesMax || !decode(out).ok()) std::abort();
  mux->close(Status(Reason::kServiceUnavailable, "the end"));
  loop.run();
  if (auto join = JoinString::parse(bytes); join.ok() && !JoinString::parse(join->write()).ok()) std::abort();
  return 0;
}
