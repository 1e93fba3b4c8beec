// Two halves of a connection. A Link carries bytes (a socket, TLS, or WebSocket messages that another protocol tunnels
// through); a Protocol gives them their meaning. Protocols know no sockets, so tests drive them byte by byte. Both live
// on one thread.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "plugins/transport_rest/output.h"

namespace lotse::transport_rest {

// Below this much unsent output a protocol is told to produce more.
constexpr uint64_t kLowWaterBytes = 64 * 1024;
// What a connection holds for its client at most, in either direction.
constexpr uint64_t kHighWaterBytes = 1024 * 1024;

// What a connection waits for: each has a deadline of its own.
enum class Wait : uint8_t { kNothing, kHandshake, kHead, kBody, kIdle, kChannels, kLinger, kLeave, kStall, kCount };

class Link;

class Protocol {
 public:
  virtual ~Protocol() = default;
  // The link was connected to this protocol.
  virtual void begin(Link& link) = 0;
  // Bytes from the client; returns how many are used up. The rest is offered again, with more behind it.
  virtual size_t receive(std::string_view bytes) = 0;
  // False: leave the client's bytes in the kernel until Link::resume.
  virtual bool wants_input() const = 0;
  // The unsent output fell below kLowWaterBytes.
  virtual void drained() = 0;
  // The client will send nothing more. Most protocols take it for the end.
  virtual void peer_finished() = 0;
  // The deadline passed that was set by Link::wait.
  virtual void expired(Wait) = 0;
  // The connection is to end. going: the server is, so idle connections and streams that never end by themselves end
  // now; otherwise certificates have changed, and the client is told with its next answer.
  virtual void wind_down(bool going) = 0;
};

class Link {
 public:
  virtual ~Link() = default;
  virtual void send(std::string text) = 0;
  virtual void send(Body body) = 0;
  virtual void send(std::unique_ptr<Source> source) = 0;
  virtual uint64_t backlog() const = 0;  // unsent bytes
  virtual void resume() = 0;             // wants_input may have changed: offers input again, soon, not from within
  virtual void wait(Wait what) = 0;
  virtual void finish() = 0;  // send what is left, then close; nothing more is received
  virtual void abort() = 0;   // close at once
  // Another protocol from here on. The old one is destroyed after it has returned.
  virtual void become(std::unique_ptr<Protocol> next) = 0;
};

}  // namespace lotse::transport_rest
