// gRPC over HTTP/2 on a unix socket, TCP or TLS, as much of it as containerd and etcd need: unary and streaming calls,
// deadlines, cancelling, and a connection that is made anew by the first call after it broke.
//
// One connection carries all calls. A call that finds no server ends with `unavailable`; calls that were under way when
// the connection broke end with `unavailable` and lost_connection set, since they may have taken effect.
//
// Threads: everything here happens on the reactor's thread. Callbacks may open and cancel calls.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugins/grpc_client/wire.h"

namespace lotse::container_engine {
class Reactor;
}
namespace lotse::grpc_client {
using container_engine::Reactor;

class Http2Connection;

// gRPC's own numbers.
enum class GrpcCode {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};

struct GrpcStatus {
  GrpcCode code = GrpcCode::ok;
  std::string message;
  bool lost_connection = false;
  bool ok() const { return code == GrpcCode::ok; }
};

struct GrpcHandler {
  std::function<void(std::string_view message)> on_message;
  std::function<void(const GrpcStatus&)> on_end;  // exactly once, and the last
};

struct GrpcOptions {
  int64_t deadline_ns = 0;  // CLOCK_MONOTONIC; 0: none
  std::vector<std::pair<std::string, std::string>> metadata;
};

// One call. All of it may be called after the end, too, and then does nothing.
class GrpcStream : public std::enable_shared_from_this<GrpcStream> {
 public:
  void send(std::string_view message);
  void finish();  // no more messages from us
  void cancel();  // on_end(cancelled) comes before this returns
  bool ended() const { return ended_; }

 private:
  friend class GrpcClient;
  friend class Http2Connection;
  friend struct Http2Callbacks;
  void end(GrpcStatus status);
  void received(std::string_view data);

  Reactor* reactor_ = nullptr;
  std::string peer_;
  Http2Connection* connection_ = nullptr;  // null once the stream has ended
  int32_t id_ = -1;
  GrpcHandler handler_;
  uint64_t deadline_timer_ = 0;
  bool ended_ = false;
  bool finished_ = false;
  bool deferred_ = false;  // the HTTP/2 side has asked for data and there was none
  std::string outgoing_;
  size_t outgoing_sent_ = 0;
  std::string incoming_;
  int http_status_ = 0;
  int grpc_code_ = -1;
  std::string grpc_message_;
};

class GrpcClient {
 public:
  GrpcClient(Reactor& reactor, GrpcTarget target);
  // A server on a unix socket; `name` is how sentences call it.
  GrpcClient(Reactor& reactor, const std::string& socket_path, const std::string& name = "the server");
  ~GrpcClient();

  // `path` is "/package.Service/Method". The handler is never called before this returns.
  std::shared_ptr<GrpcStream> open(std::string_view path, GrpcHandler handler, GrpcOptions options = {});

  // Ends all calls with `cancelled`; calls opened later end at once.
  void close();
  // Drops the connection, ending its calls as lost.
  void disconnect(const std::string& why);

  // Asks the server for a sign of life; a connection that is silent for so long afterwards is dropped.
  void probe(int64_t timeout_ns);
  // For the next connection.
  void set_address(const sockaddr_storage& address, socklen_t size);

  // Called when a connection that was made is lost.
  std::function<void()> on_lost;

 private:
  friend class Http2Connection;
  bool connect(std::string* why);

  Reactor& reactor_;
  GrpcTarget target_;
  std::string unusable_;  // why it can never connect
  bool closed_ = false;
  std::unique_ptr<Http2Connection> connection_;
};

// Percent-encoding, as grpc-message has it.
std::string percent_decode(std::string_view text);

}  // namespace lotse::grpc_client
