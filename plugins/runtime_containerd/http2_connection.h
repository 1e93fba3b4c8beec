// One HTTP/2 connection: nghttp2's session, its socket, and the calls that run on it. For grpc_client.cc alone.
#pragma once
#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "plugins/container_engine/reactor.h"
#include "plugins/runtime_containerd/grpc_client.h"

namespace lotse::runtime_containerd {

class Http2Connection {
 public:
  // Takes the connected, non-blocking socket.
  Http2Connection(Reactor& reactor, int fd, std::function<void(std::string why)> on_broken);
  ~Http2Connection();

  // False: the session takes no more streams.
  bool start(const std::shared_ptr<GrpcStream>& stream, std::string_view path, const GrpcOptions& options);
  void wake(GrpcStream& stream);                   // it has something to send, or has finished
  void reset(GrpcStream& stream, uint32_t error);  // forgets the stream
  void fail_all(const GrpcStatus& status);
  bool usable() const { return !broken_; }

 private:
  friend struct Http2Callbacks;
  void ready(uint32_t events);
  void read_socket();
  void flush();
  void broke(std::string why);
  void stream_closed(int32_t id, uint32_t error);

  Reactor& reactor_;
  int fd_;
  std::function<void(std::string)> on_broken_;
  uint64_t watch_ = 0;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<int32_t, std::shared_ptr<GrpcStream>> streams_;
  std::string outgoing_;
  size_t outgoing_sent_ = 0;
  bool receiving_ = false;  // inside nghttp2's receive: sending waits until it has returned
  bool broken_ = false;
};

}  // namespace lotse::runtime_containerd
