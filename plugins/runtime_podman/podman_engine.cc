#include "plugins/runtime_podman/podman_engine.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/container_engine/process_file.h"

namespace lotse::runtime_podman {

PodmanEngine::PodmanEngine(const sdk::Host& h, Settings s)
    : HttpEngine(h, s.engine, std::make_unique<PodmanDialect>()),
      own_(std::move(s)),
      service_(host, reactor, own_.managed, service()),
      oom_(reactor, [this](const std::string& id) { note_oom(id); }) {
  reactor.start();
  reactor.post([this] {
    service_.start();
    hub.start();
  });
}

PodmanEngine::~PodmanEngine() {
  stop_core(
      [this] {
        service_.stop();
        hub.stop();
      },
      [] {});
}

Daemon PodmanEngine::service() {
  Daemon out{"podman", own_.engine.data_dir, own_.engine.run_dir, own_.engine.socket, {}, {}, {}, {}};
  out.prepare = [this]() -> Outcome<std::vector<std::string>> {
    HostAbilities abilities = probe_host(own_.engine.data_dir);
    std::string config = own_.engine.data_dir + "/containers.conf";
    if (!replace_file(config, containers_conf(own_, abilities))) {
      return Failure{LOTSE_UNAVAILABLE, "cannot write " + config + ": " + strerror(errno)};
    }
    mkdir(own_.home().c_str(), 0700);
    return service_command(own_, abilities);
  };
  out.ask = [this](std::function<void(bool)> done) { ping(std::move(done)); };
  return out;
}

Co<Done> PodmanEngine::ready(int64_t deadline_ns) {
  return service_.ready(deadline_ns);
}

// Podman looks for it at each pull; `insecure` goes with the request.
Co<std::string> PodmanEngine::trust(PullSource source, int64_t) {
  if (own_.managed) {
    keep_file(own_.home() + "/.config/containers/certs.d/" + source.registry + "/ca.crt", source.ca);
    co_return std::string();
  }
  if (source.ca.empty()) co_return std::string();
  co_return std::string("; this Podman is external: 'ca_file' of a registry belongs into its own configuration");
}

Co<Msg> PodmanEngine::about(int64_t deadline_ns) {
  auto answer = co_await call("GET", "/info", deadline_ns);
  Json info = answer.json();
  co_return Msg::map({{"version", info["version"]["Version"].text()},
                      {"cgroup_driver", info["host"]["cgroupManager"].text()},
                      {"root", info["store"]["graphRoot"].text()}});
}

// With version 1 of cgroups Podman does not notice that a container ran out of memory.
Co<Done> PodmanEngine::after_start(std::string id, int64_t deadline_ns) {
  auto facts = co_await inspect(id, deadline_ns);
  if (facts.ok()) oom_.begin(id, facts->pid);
  co_return Done{};
}

// conmon takes orders from a FIFO of its container; 2 is "open the log anew". Who does not listen has ended.
Co<Done> PodmanEngine::reopen_log(ContainerFacts facts, int64_t) {
  constexpr std::string_view kReopen = "2 0 0\n";
  if (facts.state != ContainerFacts::State::running) co_return Done{};
  std::string path = facts.bundle + "/ctl";
  int fd = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  bool said = fd >= 0 && write(fd, kReopen.data(), kReopen.size()) == static_cast<ssize_t>(kReopen.size());
  int error = errno;
  if (fd >= 0) close(fd);
  if (!said && error != ENXIO) throw sdk::Failure(LOTSE_UNAVAILABLE, "cannot tell " + path + ": " + strerror(error));
  co_return Done{};
}

}  // namespace lotse::runtime_podman
