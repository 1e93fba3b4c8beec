// image_pull as a stream: the engine's lines of progress, added up over the layers.
#pragma once
#include <map>
#include <string>

#include "plugins/engine_http/http_engine.h"

namespace lotse::engine_http {

// What the lines of a pull come to. Pure.
class PullProgress {
 public:
  // True: done() or total() has changed.
  bool take(const Json& line);
  int64_t done() const;
  int64_t total() const;
  const std::string& error() const { return error_; }
  const std::string& id() const { return id_; }  // where the engine tells it

 private:
  struct Layer {
    int64_t done = 0, total = 0;
  };
  std::map<std::string, Layer> layers_;
  std::string error_, id_;
};

// The header X-Registry-Auth of a request's `auth`; "": none.
std::string registry_auth(const Msg& auth);

sdk::ProducerPtr open_pull(HttpEngine& engine, const Msg& request);

}  // namespace lotse::engine_http
