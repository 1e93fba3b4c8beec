#include "plugins/runtime_docker/docker_engine.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "plugins/container_engine/process_file.h"

namespace lotse::runtime_docker {
namespace {

bool listens(const std::string& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof address.sun_path) return false;
  memcpy(address.sun_path, socket.data(), socket.size());
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  bool connected = fd >= 0 && connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  if (fd >= 0) close(fd);
  return connected;
}

}  // namespace

DockerEngine::DockerEngine(const sdk::Host& h, Settings s)
    : HttpEngine(h, s.engine, std::make_unique<DockerDialect>()),
      own_(std::move(s)),
      relays_(reactor, host, own_.engine.data_dir + "/logs"),
      containerd_(host, reactor, own_.managed, containerd_daemon()),
      dockerd_(host, reactor, own_.managed, docker_daemon()) {
  reactor.start();
  reactor.post([this] {
    containerd_.start();
    // dockerd would start a containerd of its own, or take the machine's.
    containerd_.when_ready(INT64_MAX / 2, [this](Verdict verdict) {
      if (verdict.ok()) dockerd_.start();
    });
    hub.start();
  });
}

DockerEngine::~DockerEngine() {
  stop_core(
      [this] {
        containerd_.stop();
        dockerd_.stop();
        hub.stop();
      },
      [this] { relays_.stop(); });
}

Daemon DockerEngine::containerd_daemon() {
  Daemon out{"containerd", own_.engine.data_dir, own_.engine.run_dir, own_.containerd_socket, {}, {}, {}, {}};
  out.prepare = [this]() -> Outcome<std::vector<std::string>> {
    std::string config = own_.engine.data_dir + "/containerd.toml";
    if (!replace_file(config, containerd_toml(own_))) {
      return Failure{LOTSE_UNAVAILABLE, "cannot write " + config + ": " + strerror(errno)};
    }
    return std::vector<std::string>{own_.containerd, "--config", config};
  };
  out.ask = [this](std::function<void(bool)> done) {
    reactor.post([this, done] { done(listens(own_.containerd_socket)); });
  };
  return out;
}

Daemon DockerEngine::docker_daemon() {
  Daemon out{"dockerd", own_.engine.data_dir, own_.engine.run_dir, own_.engine.socket, {}, {}, {}, {}};
  out.prepare = [this]() -> Outcome<std::vector<std::string>> {
    std::string config = own_.engine.data_dir + "/dockerd.json";
    if (!replace_file(config, dockerd_json(own_, probe_host(own_.engine.data_dir), insecure_registries(own_)))) {
      return Failure{LOTSE_UNAVAILABLE, "cannot write " + config + ": " + strerror(errno)};
    }
    // One that was killed leaves its file behind, and would take another process of that number for itself.
    unlink((own_.engine.run_dir + "/dockerd.own.pid").c_str());
    // Docker looks for a registry's CA below /etc/docker only, which is the machine's: ours go among the CAs that it
    // starts with.
    std::string roots = "SSL_CERT_DIR=/etc/ssl/certs:" + own_.trust_dir();
    return std::vector<std::string>{"/usr/bin/env", roots, own_.dockerd, "--config-file", config};
  };
  out.ask = [this](std::function<void(bool)> done) { ping(std::move(done)); };
  return out;
}

Co<Done> DockerEngine::ready(int64_t deadline_ns) {
  return dockerd_.ready(deadline_ns);
}

// dockerd reads these files when it starts. Containers do not mind.
Co<std::string> DockerEngine::trust(PullSource source, int64_t deadline_ns) {
  if (!own_.managed) {
    if (source.ca.empty() && !source.insecure) co_return std::string();
    co_return std::string(
        "; this dockerd is external: 'ca_file' and 'insecure' of a registry belong into its own configuration");
  }
  std::string file = own_.trust_dir() + "/" + source.registry;
  bool other_ca = keep_file(file + ".crt", source.ca);
  bool other_need = keep_file(file + ".insecure", source.insecure ? "yes\n" : "");
  if (other_ca || other_need) dockerd_.restart();
  co_await ready(deadline_ns);
  co_return std::string();
}

Co<Msg> DockerEngine::about(int64_t deadline_ns) {
  auto answer = co_await call("GET", "/info", deadline_ns);
  Json info = answer.json();
  root_ = info["DockerRootDir"].text();
  co_return Msg::map({{"version", info["ServerVersion"].text()},
                      {"cgroup_driver", info["CgroupDriver"].text()},
                      {"root", info["DockerRootDir"].text()}});
}

Co<Done> DockerEngine::before_start(ContainerFacts facts, int64_t deadline_ns) {
  if (root_.empty()) co_await about(deadline_ns);
  log_begins(facts);
  co_return Done{};
}

// Docker tells the file's name only when the container has started; it is always the same.
void DockerEngine::log_begins(const ContainerFacts& facts) {
  std::string path = label_of(facts.labels, mark::kLogPath), source = facts.log_file;
  if (source.empty() && !root_.empty()) source = root_ + "/containers/" + facts.id + "/" + facts.id + "-json.log";
  if (!path.empty()) relays_.begin(facts.id, source, path);
}

void DockerEngine::log_ends(const std::string& id) {
  relays_.end(id);
}

Co<Done> DockerEngine::reopen_log(ContainerFacts facts, int64_t) {
  log_begins(facts);
  relays_.reopen(facts.id);
  if (facts.state == ContainerFacts::State::exited) relays_.end(facts.id);
  co_return Done{};
}

}  // namespace lotse::runtime_docker
