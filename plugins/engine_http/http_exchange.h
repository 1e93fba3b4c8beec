// One HTTP/1.1 request on a unix socket and its answer, on a connection of its own: with a body that comes in pieces,
// or, where the server takes over (exec, attach), a stream in both directions after the head.
//
// What breaks before the request could be sent is LOTSE_UNAVAILABLE, what breaks later LOTSE_UNKNOWN. While the taker
// has no room nothing is read, which holds up the server and nothing else.
//
// Threads: the reactor's. No callback comes from within start().
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugins/container_engine/outcome.h"
#include "plugins/container_engine/reactor.h"

namespace lotse::container_engine {}
namespace lotse::engine_http {
using namespace container_engine;

struct HttpRequest {
  std::string method = "GET";
  std::string target;  // "/v1.41/version", encoded
  std::string body;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  bool upgrade = false;  // asks for a stream
};

struct HttpHandler {
  std::function<bool()> has_room;  // empty: always
  std::function<void(int status, bool taken_over)> on_head;
  std::function<void(std::string_view)> on_body;  // a piece of the body, or of what comes on the stream
  std::function<void(size_t)> on_sent;            // so much of what was written has gone
  std::function<void(const Verdict&)> on_end;     // exactly once and the last, unless close() was called
};

class HttpExchange : public std::enable_shared_from_this<HttpExchange> {
 public:
  // deadline_ns: of the whole exchange, CLOCK_MONOTONIC; 0: none.
  static std::shared_ptr<HttpExchange> start(Reactor& reactor, std::string socket, HttpRequest request,
                                             HttpHandler handler, int64_t deadline_ns);
  ~HttpExchange();

  // On a stream; before the head has come it waits.
  void write(std::string_view data);
  void finish();  // no more will be written: the other side reads its end of file
  void room_again();
  void close();

 private:
  struct Parser;
  HttpExchange(Reactor& reactor, HttpHandler handler);
  void open(const std::string& socket, const HttpRequest& request, int64_t deadline_ns);
  void ready(uint32_t events);
  void flush();
  void read_some();
  void take(std::string_view data);
  void take_head();
  bool has_room() const { return !handler_.has_room || handler_.has_room(); }
  void end(Verdict verdict);
  void release();

  Reactor& reactor_;
  HttpHandler handler_;
  std::unique_ptr<Parser> parser_;
  std::shared_ptr<HttpExchange> self_;  // until the end
  int fd_ = -1;
  uint64_t watch_ = 0, timer_ = 0;
  bool wants_stream_ = false, stream_ = false, request_sent_ = false;
  bool finishing_ = false, shut_ = false, done_ = false, reading_ = false;
  std::string head_;      // what has come of the answer's head
  std::string outgoing_;  // the request, or what was written
  size_t sent_ = 0;
  std::string waiting_;  // written before the stream was there
};

// "a b" -> "a%20b": for a segment of a path or a value of a query.
std::string percent_encode(std::string_view text);

}  // namespace lotse::engine_http
