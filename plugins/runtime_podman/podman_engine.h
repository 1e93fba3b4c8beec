// PodmanEngine: the service of our own, and logs, which conmon writes in CRI's form itself.
#pragma once
#include "plugins/container_engine/supervisor.h"
#include "plugins/engine_http/http_engine.h"
#include "plugins/engine_http/oom_watch.h"
#include "plugins/runtime_podman/podman_dialect.h"
#include "plugins/runtime_podman/settings.h"

namespace lotse::runtime_podman {

class PodmanEngine : public HttpEngine {
 public:
  PodmanEngine(const sdk::Host& host, Settings settings);
  ~PodmanEngine() override;

  Co<Done> ready(int64_t deadline_ns) override;
  Co<Msg> about(int64_t deadline_ns) override;
  Co<Done> after_start(std::string id, int64_t deadline_ns) override;
  void log_begins(const ContainerFacts& facts) override { oom_.begin(facts.id, facts.pid); }
  void log_removed(const std::string& id) override { oom_.end(id); }
  Co<std::string> trust(PullSource source, int64_t deadline_ns) override;
  Co<Done> reopen_log(ContainerFacts facts, int64_t deadline_ns) override;

 private:
  Daemon service();

  const Settings own_;
  Supervisor service_;
  OomWatch oom_;
};

}  // namespace lotse::runtime_podman
