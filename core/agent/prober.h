// Prober: the timers of one container's probes. The startup probe runs alone until it has succeeded once; then
// readiness and liveness run side by side. Only what crosses a threshold is told. A container without probes has no
// Prober. [loop]
#pragma once
#include <functional>
#include <memory>

#include "core/agent/handler_runner.h"
#include "core/agent/pod_spec.h"
#include "core/base/loop.h"

namespace lotse::agent {

class Prober {
 public:
  struct Callbacks {
    std::function<void(ProbeKind, bool ok, const std::string& message)> result;  // a threshold was crossed
    std::function<void(ProbeKind, const std::string& message)> failed;  // each failure, for the Unhealthy event
  };
  // REQUIRES: `spec` and `container` outlive it. `started_ok`: the startup probe has succeeded before; `ready`: what
  // readiness was last said to be; `age`: how long the container has been running.
  Prober(Loop& loop, HandlerRunner& runner, PodSpecPtr spec, int container, std::string container_id, std::string ip,
         bool started_ok, bool ready, Duration age, Callbacks callbacks);
  ~Prober();
  static bool wanted(const ContainerSpec& container) {
    return container.startup || container.readiness || container.liveness;
  }
  // The pod is being stopped: readiness goes on (the pod may get unready early), liveness and startup end.
  void stopping();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace lotse::agent
