#include "plugins/runtime_containerd/engine.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lotse/runtime_containerd/cri.pb.h"
#include "plugins/container_engine/json.h"
#include "plugins/container_engine/process_file.h"
#include "plugins/runtime_containerd/managed_config.h"

namespace lotse::runtime_containerd {
namespace {

constexpr int64_t kMs = 1'000'000;

}  // namespace

Engine::Engine(const sdk::Host& h, const sdk::Config& config)
    : EngineCore(h, "containerd"),
      settings(Settings::read(h, config)),
      grpc(reactor, settings.socket, "containerd"),
      client(reactor, grpc),
      supervisor(host, reactor, settings.managed, daemon()) {
  mkdir((settings.run_dir + "/io").c_str(), 0700);
  grpc.on_lost = [this] { supervisor.lost(); };
  reactor.start();
  reactor.post([this] { supervisor.start(); });
}

Engine::~Engine() {
  stop();
}

void Engine::stop() {
  stop_core([this] { supervisor.stop(); }, [this] { grpc.close(); });
}

// The containerd of our own.
Daemon Engine::daemon() {
  Daemon out{"containerd", settings.data_dir, settings.run_dir, settings.socket, {}, {}, {}, {}};
  out.prepare = [this]() -> Outcome<std::vector<std::string>> {
    std::string config = settings.data_dir + "/containerd.toml";
    mkdir(settings.cni_conf_dir.c_str(), 0700);
    if (!replace_file(config, managed_config_toml(settings, probe_host(settings.data_dir)))) {
      return Failure{LOTSE_UNAVAILABLE, "cannot write " + config + ": " + strerror(errno)};
    }
    return std::vector<std::string>{settings.containerd, "--config", config};
  };
  out.ask = [this](std::function<void(bool)> done) {
    GrpcHandler handler;
    handler.on_end = [done](const GrpcStatus& status) { done(status.ok()); };
    auto stream = client.stream(method::kStatus, std::move(handler), {Reactor::now_ns() + 5000 * kMs, {}});
    stream->send(cri::StatusRequest().SerializeAsString());
    stream->finish();
  };
  out.on_down = [this] { grpc.disconnect("containerd has ended"); };
  return out;
}

Co<Done> Engine::ready(int64_t deadline_ns) {
  return supervisor.ready(deadline_ns);
}

// containerd reads the file anew at each pull.
std::string Engine::trust(const PullSource& source) {
  std::string hosts = hosts_toml(source, settings.registries_dir() + "/" + source.registry + "/ca.crt");
  if (!settings.managed) {
    if (hosts.empty()) return {};
    return "; containerd is external: 'ca_file' and 'insecure' of a registry belong into its own configuration";
  }
  keep_file(settings.registries_dir() + "/" + source.registry + "/ca.crt", source.ca);
  keep_file(settings.registries_dir() + "/" + source.registry + "/hosts.toml", hosts);
  return {};
}

Co<Done> Engine::install_cni(std::string directory, int64_t deadline_ns) {
  const std::string& target = settings.cni_conf_dir;
  if (directory.empty() || target.empty() || directory == target) co_return Done{};
  // containerd takes the first list of its directory by name, and so do we.
  std::set<std::string> names;
  if (DIR* dir = opendir(directory.c_str())) {
    while (dirent* entry = readdir(dir)) {
      std::string name = entry->d_name;
      if (name.ends_with(".conflist")) names.insert(name);
    }
    closedir(dir);
  }
  if (names.empty()) throw sdk::Failure(LOTSE_UNAVAILABLE, "there is no CNI list in " + directory + " yet");
  auto wanted = read_small_file(directory + "/" + *names.begin());
  if (!wanted) throw sdk::Failure(LOTSE_UNAVAILABLE, "cannot read the CNI list in " + directory);
  if (*wanted == cni_installed_) co_return Done{};
  std::string path = target + "/10-lotse.conflist";
  mkdir(target.c_str(), 0700);
  if (read_small_file(path) != wanted && !replace_file(path, *wanted)) {
    throw sdk::Failure(LOTSE_UNAVAILABLE, "cannot write " + path);
  }
  // containerd notices the file by inotify and tells in its verbose status what it has loaded.
  cri::StatusRequest verbose;
  verbose.set_verbose(true);
  for (int64_t delay = kMs; Reactor::now_ns() < deadline_ns; delay = std::min(delay * 2, 100 * kMs)) {
    auto status = co_await call<cri::StatusResponse>(method::kStatus, verbose, deadline_ns);
    auto config = status.info().find("cniconfig");
    Json networks = Json::parse(config == status.info().end() ? "" : config->second)["Networks"];
    for (auto& network : networks.items()) {
      if (network["Config"]["Source"].text() != *wanted) continue;
      cni_installed_ = *wanted;
      co_return Done{};
    }
    co_await sleep(delay);
  }
  throw sdk::Failure(LOTSE_UNAVAILABLE, "containerd has not loaded " + path + " yet");
}

}  // namespace lotse::runtime_containerd
