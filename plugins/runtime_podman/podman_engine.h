// PodmanEngine: the service of our own, and logs, which conmon writes in CRI's form itself.
#pragma once
#include "plugins/container_engine/supervisor.h"
#include "plugins/engine_http/http_engine.h"
#include "plugins/runtime_podman/podman_dialect.h"
#include "plugins/runtime_podman/settings.h"

namespace lotse::runtime_podman {

class PodmanEngine : public HttpEngine {
 public:
  PodmanEngine(const sdk::Host& host, Settings settings);
  ~PodmanEngine() override;

  Co<Done> ready(int64_t deadline_ns) override;
  Co<Msg> about(int64_t deadline_ns) override;
  Co<Done> reopen_log(ContainerFacts facts, int64_t deadline_ns) override;

 private:
  Daemon service();

  const Settings own_;
  Supervisor service_;
};

}  // namespace lotse::runtime_podman
