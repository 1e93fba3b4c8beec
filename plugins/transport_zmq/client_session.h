// What one client has going on: requests, streams, and what is to be sent to it. At most kOutBytes of it are with ZeroMQ at
// a time; the rest waits here, as scatter lists of the host or as items that a stream was granted, so that a client that
// does not read costs a bounded buffer. No socket; one thread.
#pragma once
#include <deque>
#include <map>
#include <memory>

#include "plugins/transport_rest/byte_stream.h"
#include "plugins/transport_rest/door.h"
#include "plugins/transport_rest/exchange.h"
#include "plugins/transport_rest/input_queue.h"
#include "plugins/transport_zmq/wire_message.h"

namespace lotse::transport_zmq {

constexpr size_t kCallsMax = 256;                  // requests and streams of a client at the same time
constexpr size_t kOutBytes = 1024 * 1024;          // with ZeroMQ at a time
constexpr uint64_t kGrantMax = 1024 * 1024;        // what a client may grant to one stream in advance
constexpr uint64_t kInputMax = 1024 * 1024;        // what a client may write ahead of the host
constexpr uint64_t kWindow = 256 * 1024;           // that it was told to

struct Outgoing {
  std::string head;
  std::string bytes;            // what belongs to it, if it is ours ...
  transport_rest::Body body;    // ... or the host's
  size_t size() const { return head.size() + bytes.size() + body.size() + 128; }  // what ZeroMQ needs for it, about
};

class ClientSession {
 public:
  // send passes one message on to ZeroMQ; false: this client has gone.
  using Send = std::function<bool(Outgoing message)>;
  ClientSession(transport_rest::Door door, std::string address, Send send);
  ~ClientSession();
  void receive(std::string_view head, std::string body);
  // ZeroMQ has let go of so many bytes.
  void sent(size_t bytes);
  void ping();
  bool gone() const { return gone_; }
  // Nothing is going on: the session may be forgotten.
  bool idle() const { return calls_.empty() && waiting_.empty() && with_zmq_ == 0; }
  bool has_calls() const { return !calls_.empty(); }

 private:
  class Call;
  void put(Outgoing message);
  void pump();
  void close(Call& call);

  const transport_rest::Door door_;
  const std::string address_;
  Send send_;
  std::map<int64_t, std::unique_ptr<Call>> calls_;
  std::unique_ptr<Call> closed_;  // lives until its own callback has returned
  std::deque<Outgoing> waiting_;
  size_t with_zmq_ = 0;
  bool gone_ = false;
};

}  // namespace lotse::transport_zmq
