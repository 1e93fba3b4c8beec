// Runs what probes and lifecycle hooks consist of: exec, httpGet, tcpSocket, grpc, sleep. [loop]
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/agent/pod_spec.h"
#include "core/agent/runtime.h"
#include "core/base/loop.h"

namespace lotse::agent {

struct HandlerTarget {
  std::string container_id, ip;  // ip: the pod's, where the handler names no host
  int port = 0;                  // resolved
};

struct HandlerResult {
  bool ok = false;
  std::string message;  // a sentence, or what was said; cut to a reasonable length
};

class HandlerRunner {
 public:
  using Done = std::function<void(HandlerResult)>;
  virtual ~HandlerRunner() = default;
  // `done` comes once, never from within, at the latest soon after `timeout`. Dropping the Handle gives up without a
  // call.
  virtual Handle run(const Handler& handler, const HandlerTarget& target, Duration timeout, Done done) = 0;
  static std::unique_ptr<HandlerRunner> make(Runtime& runtime, Loop& loop);
};

// The kinds, each in its file. `done` may come from within.
std::unique_ptr<Handle::Impl> run_http(Loop& loop, const Handler& handler, const HandlerTarget& target,
                                       HandlerRunner::Done done);
std::unique_ptr<Handle::Impl> run_tcp(Loop& loop, const Handler& handler, const HandlerTarget& target,
                                      HandlerRunner::Done done);
std::unique_ptr<Handle::Impl> run_grpc(Loop& loop, const Handler& handler, const HandlerTarget& target,
                                       HandlerRunner::Done done);

}  // namespace lotse::agent
