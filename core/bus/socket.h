// A ZeroMQ socket on a loop. ZeroMQ's descriptor is edge-triggered, so after every send and receive its events are read until
// there are none. Private to core/bus; used on the bus thread only.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/base/loop.h"
#include "core/base/result.h"
#include "core/bus/bus.h"

namespace lotse::bus {

struct Message {
  std::string peer;     // ROUTER: the routing id
  std::string user;     // the ZAP user id: the peer's public key in Z85; empty without CURVE
  std::string address;  // "192.0.2.7"
  std::string body;
};

class Socket {
 public:
  enum class Kind : uint8_t { kRouter, kDealer };
  Socket(Context& context, Kind kind);
  ~Socket();
  void curve_server(const security::CurvePair& keys, const std::string& zap_domain);
  void curve_client(const security::CurvePair& keys, const std::string& server_public_z85);
  void limits(int64_t message_bytes_max, int queue_frames);
  Status bind(const std::string& endpoint, std::string* bound = nullptr);
  Status connect(const std::string& endpoint);
  // From now on calls on_message for every message and on_writable when a send that was refused may be tried again.
  void start(Loop& loop, std::function<void(Message)> on_message, std::function<void()> on_writable);
  enum class Sent : uint8_t { kYes, kFull, kGone };
  Sent send(const std::string& peer, const std::string& body);  // peer is empty for a DEALER

  // What becomes of a DEALER's connection over TCP.
  enum class Link : uint8_t {
    kClosed,       // it ended, or the kernel found the peer silent
    kUnreachable,  // nobody listens there
    kRefused,      // the peer does not let this key in
  };
  // Before connect. The callback may destroy this socket.
  void watch_link(Loop& loop, std::function<void(Link)> on_link);

 private:
  void work();
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lotse::bus
