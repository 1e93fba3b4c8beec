// lotsed: a master, a worker, or both, in the foreground.
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "core/base/log.h"
#include "core/base/signals.h"
#include "core/cli/describe.h"
#include "core/config/config.h"
#include "core/daemon/daemon.h"
#include "core/daemon/notify.h"

namespace {

constexpr int kExitFailed = 1, kExitConfig = 78;  // 78: EX_CONFIG of sysexits.h: restarting will not help

void set_log_level(const std::string& name) {
  using lotse::log::Level;
  lotse::log::set_level(name == "debug" ? Level::kDebug : name == "warn" ? Level::kWarn : name == "error" ? Level::kError : Level::kInfo);
}

// Every watch and connection is a descriptor: as many as we may have.
void raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int serve(lotse::config::Config config, std::function<lotse::Result<lotse::config::Config>()> read) {
  lotse::log::info("daemon.starting", "lotsed is starting", {{"version", LOTSE_VERSION}, {"node", config.daemon.node_name}, {"data_dir", config.daemon.data_dir}});
  auto daemon = lotse::daemon::Daemon::start(std::move(config), std::move(read));
  if (!daemon.ok()) {
    lotse::log::error("daemon.failed", "lotsed cannot start", {{"reason", daemon.status().message}});
    return daemon.status().reason == lotse::Reason::kInvalid ? kExitConfig : kExitFailed;
  }
  lotse::daemon::notify("READY=1");
  lotse::log::info("daemon.ready", "lotsed is ready");
  sigset_t wanted;
  sigemptyset(&wanted);
  for (int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&wanted, s);
  int got = 0;
  while (sigwait(&wanted, &got) == 0 && got == SIGHUP)
    if (auto done = (*daemon)->reload(); !done.ok()) lotse::log::error("daemon.reload_refused", done.status().message);
  lotse::daemon::notify("STOPPING=1");
  lotse::log::info("daemon.stopping", "lotsed is ending; containers go on running", {{"signal", got}});
  daemon->reset();
  lotse::log::info("daemon.stopped", "lotsed has ended");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("lotsed: a Kubernetes master, a worker, or both", "lotsed");
  app.footer("SIGTERM ends it, and containers go on running; SIGHUP reads the configuration again, as `lotse reload` does. Exit codes: 0 ended by a signal; 1 it could not start; 78 the configuration is faulty.");
  std::string file, dir, level;
  bool manual = false;
  app.add_option("--config", file, "The configuration (TOML); without it, a one-node cluster")->check(CLI::ExistingFile);
  app.add_option("--data-dir", dir, "Where all state lies; goes before data_dir of the configuration");
  app.add_option("--log-level", level, "debug, info, warn or error")->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.set_version_flag("--version", std::string("lotsed ") + LOTSE_VERSION);
  app.add_flag("--manual", manual, "Print the manual page lotsed(8)")->group("");
  CLI11_PARSE(app, argc, argv);
  if (manual) {
    std::cout << lotse::cli::manual_page(app, {"lotsed", 8, "lotse(8), lotse.toml(5), kubectl(1)"});
    return 0;
  }

  lotse::block_signals({SIGTERM, SIGINT, SIGHUP});
  signal(SIGPIPE, SIG_IGN);
  umask(0022);
  raise_file_limit();
  auto read = [=]() -> lotse::Result<lotse::config::Config> {
    auto config = lotse::config::load_config(file);
    if (config.ok() && !dir.empty()) config->daemon.data_dir = dir;
    if (config.ok() && !level.empty()) config->daemon.log_level = level;
    return config;
  };
  auto config = read();
  if (!config.ok()) {
    std::cerr << config.status().message << "\n";
    return kExitConfig;
  }
  set_log_level(config->daemon.log_level);
  return serve(*std::move(config), read);
}
