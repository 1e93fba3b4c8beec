// A SPDY client that sends whatever it likes, to exec and to port-forward. The first byte chooses; 'z' lines of the
// input are header blocks that are compressed here, so that mutations get past zlib.
#include <cstdlib>

#include "plugins/transport_rest/spdy_command.h"
#include "plugins/transport_rest/spdy_port_forward.h"
#include "tests/unit/transport_rest/fake_link.h"

using namespace lotse::transport_rest;
using namespace lotse::transport_rest::testing;

namespace {

void put32(std::string& out, size_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

// "S<id><type>\n" opens a stream, "D<id><bytes>\n" sends data, anything else goes as it is.
std::string frames_of(std::string_view text) {
  static constexpr const char* kTypes[] = {"error", "stdin", "stdout", "stderr", "resize", "data"};
  SpdyDeflater deflater;
  std::string out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.size() >= 3 && line[0] == 'S') {
      std::string payload;
      put32(payload, static_cast<uint8_t>(line[1]) % 64);
      payload.append(6, '\0');
      payload += deflater.write({{"streamtype", kTypes[static_cast<uint8_t>(line[2]) % 6]}, {"port", "80"}, {"requestid", std::string(line.substr(3))}});
      out += std::string("\x80\x03\x00\x01", 4);
      put32(out, payload.size());
      out += payload;
    } else if (line.size() >= 2 && line[0] == 'D') {
      put32(out, static_cast<uint8_t>(line[1]) % 64);
      put32(out, line.size() - 2);
      out += line.substr(2);
    } else {
      out += line;
    }
  }
  return out;
}

void run(Protocol& protocol, FakeLink& link, FakeStream& host, std::string_view bytes) {
  protocol.begin(link);
  for (size_t at = 0; at < bytes.size() && !link.aborted && !link.finished; at += 11) {
    protocol.receive(bytes.substr(at, 11));
    if (host.user && !host.gone) host.user->on_item(LOTSE_STDOUT, "output");
    protocol.drained();
  }
  if (host.user && !host.gone && !link.aborted) host.user->on_end(LOTSE_OK, "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string bytes = frames_of({reinterpret_cast<const char*>(data) + 1, size - 1});
  FakeLink link;
  FakeStream host;
  if (data[0] % 2 == 0) {
    SpdyCommand command({true, true, true, false}, 4, host.opener());
    run(command, link, host, bytes);
  } else {
    // One host stream is kept an eye on, the others are let go.
    std::vector<std::unique_ptr<FakeStream>> others;
    SpdyPortForward forward([&](uint16_t, StreamUser& user) {
      if (!host.user) return host.open(user);
      others.push_back(std::make_unique<FakeStream>());
      return others.back()->open(user);
    });
    run(forward, link, host, bytes);
  }
  return 0;
}
