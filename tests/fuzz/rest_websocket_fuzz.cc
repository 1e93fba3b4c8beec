// WebSocket frames as hostile bytes, to exec: whole and in pieces must come to the same end.
#include <cstdlib>

#include "plugins/transport_rest/ws_command.h"
#include "tests/unit/transport_rest/fake_link.h"

using namespace lotse::transport_rest;
using namespace lotse::transport_rest::testing;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FakeStream hosts[2];
  FakeLink links[2];
  for (int i = 0; i < 2; ++i) {
    WsCommand command({true, true, true, true}, 5, hosts[i].opener());
    command.begin(links[i]);
    const size_t step = i == 0 ? bytes.size() + 1 : 3;
    for (size_t at = 0; at < bytes.size(); at += step) command.receive(bytes.substr(at, step));
  }
  if (links[0].sent != links[1].sent || hosts[0].input != hosts[1].input || links[0].finished != links[1].finished) std::abort();
  return 0;
}
