// One HTTP/2 connection: nghttp2's session, its socket, and the calls that run on it. For grpc_client.cc alone.
#pragma once
#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "plugins/container_engine/reactor.h"
#include "plugins/grpc_client/grpc_client.h"

namespace lotse::grpc_client {

class Http2Connection {
 public:
  // The wire may still be connecting.
  Http2Connection(Reactor& reactor, std::unique_ptr<Wire> wire, const GrpcTarget& target,
                  std::function<void(std::string why)> on_broken);
  ~Http2Connection();

  // False: the session takes no more streams.
  bool start(const std::shared_ptr<GrpcStream>& stream, std::string_view path, const GrpcOptions& options);
  void wake(GrpcStream& stream);                   // it has something to send, or has finished
  void reset(GrpcStream& stream, uint32_t error);  // forgets the stream
  void fail_all(const GrpcStatus& status);
  void probe(int64_t timeout_ns);
  bool usable() const { return !broken_; }
  bool established() const { return established_; }  // before that, nothing of ours has left

 private:
  friend struct Http2Callbacks;
  void ready(uint32_t events);
  void read_socket();
  void flush();
  void broke(std::string why);
  void stream_closed(int32_t id, uint32_t error);

  Reactor& reactor_;
  std::unique_ptr<Wire> wire_;
  const std::string peer_, authority_;
  const bool secure_;
  std::function<void(std::string)> on_broken_;
  uint64_t watch_ = 0;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<int32_t, std::shared_ptr<GrpcStream>> streams_;
  std::string outgoing_;
  size_t outgoing_sent_ = 0;
  bool receiving_ = false;  // inside nghttp2's receive: sending waits until it has returned
  bool broken_ = false;
  bool established_ = false;
  uint64_t received_ = 0;  // how often something came
  uint64_t probe_timer_ = 0;
};

}  // namespace lotse::grpc_client
