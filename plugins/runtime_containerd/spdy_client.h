// The client's half of SPDY/3.1, as much of it as Kubernetes' streaming servers use: an HTTP upgrade, streams that we
// open, data both ways, half-close. containerd's CRI offers attach in this form; its WebSocket knows no half-close.
//
// Headers are sent as stored deflate blocks, which every inflater reads; what the server says in its replies' headers
// is not looked at. There is no flow control of streams in this dialect: not reading the socket is what holds the
// server up.
//
// Threads: the reactor's. Callbacks may call anything here; the owner keeps the client alive until closed() was called.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/container_engine/reactor.h"
#include "plugins/runtime_containerd/names.h"

namespace lotse::runtime_containerd {

struct HttpTarget {
  std::string host;
  uint16_t port = 0;
  std::string path;
  // Only http:// with a numeric address.
  static bool parse(const std::string& url, HttpTarget* out);
};

class SpdyClient {
 public:
  struct Handler {
    std::function<bool()> has_room;                                    // may data be taken now?
    std::function<void(size_t index, std::string_view data)> on_data;  // of the index-th stream
    std::function<void(size_t index)> on_stream_end;
    std::function<void(size_t bytes)> on_sent;              // payload bytes that left for the socket
    std::function<void(const std::string& why)> on_closed;  // once; empty: the server has ended it
  };

  SpdyClient(Reactor& reactor, Handler handler);
  ~SpdyClient();

  // Connects, upgrades, and opens one stream for each name, with the header `streamtype`.
  void open(const HttpTarget& target, const std::string& protocol, const std::vector<std::string>& stream_types);
  void send(size_t index, std::string_view data);
  void finish(size_t index);
  void room_again() { read_socket(); }
  void close();  // on_closed does not follow

 private:
  enum class State { connecting, upgrading, open, closed };

  void ready(uint32_t events);
  void begin_upgrade();
  void read_socket();
  bool take_response();
  bool take_frame();
  bool take_data();
  void control_frame(uint16_t type, std::string_view body);
  void flush();
  void closed(const std::string& why);
  void append_syn_stream(uint32_t id, const std::string& stream_type);
  void append_data(uint32_t id, bool fin, std::string_view data);
  size_t index_of(uint32_t id) const { return (id - 1) / 2; }

  Reactor& reactor_;
  Handler handler_;
  State state_ = State::connecting;
  int fd_ = -1;
  uint64_t watch_ = 0;
  HttpTarget target_;
  std::string protocol_;
  std::vector<std::string> stream_types_;
  std::vector<bool> ended_;
  bool headers_begun_ = false;
  std::string incoming_;
  uint32_t data_stream_ = 0;  // of the data frame whose payload is being read
  size_t data_left_ = 0;
  bool data_fin_ = false;
  std::string outgoing_;
  std::string early_;  // frames that were asked for before the upgrade was done
  size_t outgoing_sent_ = 0;
  size_t payload_queued_ = 0;  // bytes of send() that are in outgoing_
};

}  // namespace lotse::runtime_containerd
