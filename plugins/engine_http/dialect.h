// What differs between the engines: paths, the bodies of requests, the shape of answers. Pure, so that it is tested
// without an engine.
#pragma once
#include <string>

#include "plugins/container_engine/pull_source.h"
#include "plugins/engine_http/facts.h"

namespace lotse::engine_http {

struct ApiCall {
  std::string path;  // below the API's prefix
  Msg body;          // nil: none
};

class Dialect {
 public:
  virtual ~Dialect() = default;

  virtual ApiCall create(const ContainerSpec& spec) const = 0;  // answered with {"Id"}
  virtual ContainerFacts facts(const Json& inspected) const = 0;
  virtual std::string stop_path(const std::string& id, int64_t seconds) const = 0;
  virtual std::string remove_path(const std::string& id) const = 0;
  virtual std::string wait_path(const std::string& id) const = 0;
  // Changes limits while it runs; an empty path: the engine cannot.
  virtual ApiCall update(const std::string& id, const Resources& resources) const = 0;

  // From that point in time on, of our own containers as far as the engine can tell them apart.
  virtual std::string events_path(const std::string& owner, int64_t since_unix_ns) const = 0;
  virtual std::optional<EngineEvent> event(const Json& line) const = 0;

  virtual std::string exec_path(const std::string& id) const = 0;
  virtual Msg exec_body(const std::vector<std::string>& command, bool in, bool out, bool err, bool tty) const = 0;

  virtual std::string pull_path(const PullSource& source) const = 0;
};

}  // namespace lotse::engine_http
