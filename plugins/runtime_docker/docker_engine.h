// DockerEngine: the daemons of our own, and logs in CRI's form.
#pragma once
#include "plugins/container_engine/supervisor.h"
#include "plugins/engine_http/http_engine.h"
#include "plugins/runtime_docker/docker_dialect.h"
#include "plugins/runtime_docker/log_relay.h"
#include "plugins/runtime_docker/settings.h"

namespace lotse::runtime_docker {

class DockerEngine : public HttpEngine {
 public:
  DockerEngine(const sdk::Host& host, Settings settings);
  ~DockerEngine() override;

  Co<Done> ready(int64_t deadline_ns) override;
  Co<Msg> about(int64_t deadline_ns) override;
  Co<Done> before_start(ContainerFacts facts, int64_t deadline_ns) override;
  void log_begins(const ContainerFacts& facts) override;
  void log_ends(const std::string& id) override;
  void log_removed(const std::string& id) override { relays_.removed(id); }
  void logs_known(const std::set<std::string>& ids) override { relays_.keep_only(ids); }
  Co<std::string> trust(PullSource source, int64_t deadline_ns) override;
  Co<Done> reopen_log(ContainerFacts facts, int64_t deadline_ns) override;

 private:
  Daemon containerd_daemon();
  Daemon docker_daemon();

  const Settings own_;
  std::string root_;  // Docker's, once it has told
  LogRelays relays_;
  Supervisor containerd_;
  Supervisor dockerd_;
};

}  // namespace lotse::runtime_docker
