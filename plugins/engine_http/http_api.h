// The engine's API as steps: a call and its answer.
//
// Threads: the reactor's.
#pragma once
#include <string>

#include "lotse/msgpack.hpp"
#include "plugins/container_engine/co.h"
#include "plugins/container_engine/json.h"
#include "plugins/engine_http/http_exchange.h"

namespace lotse::engine_http {

using sdk::Msg;

struct HttpAnswer {
  int status = 0;
  std::string body;
  Json json() const { return Json::parse(body); }
};

// What a status of 400 and above means to our callers: 404 LOTSE_NOT_FOUND, 409 LOTSE_CONFLICT, ...
Failure failure_of(const HttpAnswer& answer);

class HttpApi {
 public:
  // prefix: "/v1.41", before every path.
  HttpApi(Reactor& reactor, std::string socket, std::string prefix)
      : reactor_(reactor), socket_(std::move(socket)), prefix_(std::move(prefix)) {}

  HttpRequest request(const char* method, const std::string& path) const;
  HttpRequest request(const char* method, const std::string& path, const Msg& body) const;

  // A status of 400 and above is a failure.
  Co<Outcome<HttpAnswer>> try_call(HttpRequest request, int64_t deadline_ns);
  Co<HttpAnswer> call(HttpRequest request, int64_t deadline_ns);  // throws it

  std::shared_ptr<HttpExchange> start(HttpRequest request, HttpHandler handler, int64_t deadline_ns);

  Reactor& reactor() { return reactor_; }
  const std::string& socket() const { return socket_; }

 private:
  Reactor& reactor_;
  const std::string socket_;
  const std::string prefix_;
};

}  // namespace lotse::engine_http
