#include "core/daemon/daemon.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/run_on.h"
#include "core/daemon/commands.h"
#include "core/daemon/master.h"
#include "core/daemon/notify.h"
#include "core/daemon/reload.h"
#include "core/daemon/worker.h"
#include "core/network/netlink.h"

namespace lotse::daemon {
namespace {

constexpr size_t kWorkerThreadsMax = 16, kWorkQueueMax = 4096;
constexpr const char* kKubernetesVersion = "v1.36.0";

// One daemon a data directory: the lock goes with the process.
class DirectoryLock {
 public:
  ~DirectoryLock() {
    if (fd_ >= 0) close(fd_);
  }
  Status take(const std::string& dir) {
    const std::string path = dir + "/lotsed.lock";
    fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd_ < 0) return errno_status("open", path, errno);
    if (flock(fd_, LOCK_EX | LOCK_NB) != 0) return Status(Reason::kAlreadyExists, "another lotsed serves " + dir + " already");
    return {};
  }

 private:
  int fd_ = -1;
};

// By which others reach this machine: what was given, the address of the default route, else loopback.
Result<std::string> find_address(const config::Config& config) {
  if (!config.api.advertise_address.empty()) return config.api.advertise_address;
  LOTSE_TRY(auto netlink, network::Netlink::open());
  LOTSE_TRY(std::string address, netlink->default_address(false));
  if (address.empty()) {
    LOTSE_TRY(address, netlink->default_address(true));
  }
  return address.empty() ? std::string("127.0.0.1") : address;
}

class RunningDaemon : public Daemon {
 public:
  RunningDaemon(config::Config config, Reload::Read read) : config_(std::move(config)), read_(std::move(read)) {}

  ~RunningDaemon() override {
    control_.reset();
    reload_.reset();
    run_on(loop_.loop(), [&] { watchdog_.reset(); });
    {
      std::lock_guard lock(faults_mutex_);
      faults_to_ = nullptr;
      master_faults_to_ = nullptr;
    }
    worker_.reset();
    master_.reset();
    base_.reset();
    host_.reset();
    plugins_.reset();
  }

  Result<std::string> reload() override { return reload_->run(); }

  Status begin() {
    plugins_ = std::make_unique<plugin::Plugins>(plugin::search_path(config_.daemon.plugin_path));
    config::Complaints complaints(config_.file_name());
    plugins_->check(config_, &complaints);
    if (!complaints.empty()) return Status(Reason::kInvalid, complaints.text());
    LOTSE_CHECK_OK(make_dirs(config_.daemon.data_dir, 0700));
    LOTSE_CHECK_OK(lock_.take(config_.daemon.data_dir));
    LOTSE_TRY(std::string address, find_address(config_));
    plugin::HostOptions options;
    options.data_dir = config_.daemon.data_dir;
    options.node_name = config_.daemon.node_name;
    options.fault = [this](const std::string& plugin, const std::string& id, const std::string& reason, const std::string& message) {
      std::lock_guard lock(faults_mutex_);
      if (faults_to_) faults_to_->fault(plugin, id, reason, message);
      if (master_faults_to_) master_faults_to_->fault(plugin, id, reason);
    };
    host_ = std::make_unique<plugin::Host>(loop_.loop(), pool_, options);
    base_ = std::make_unique<Base>(Base{config_, loop_.loop(), pool_, bus_, *plugins_, *host_, std::string(kKubernetesVersion) + "+lotse." + LOTSE_VERSION, address});
    LOTSE_CHECK_OK(run_on(loop_.loop(), [&]() -> Status {
      LOTSE_TRY(control_, ControlSocket::listen(loop_.loop(), pool_, config_.daemon.data_dir + "/lotse.sock"));
      return {};
    }));
    if (config_.is_master()) {
      LOTSE_TRY(master_, Master::start(*base_));
      std::lock_guard lock(faults_mutex_);
      master_faults_to_ = master_.get();
    }
    if (config_.is_worker()) {
      LOTSE_TRY(worker_, Worker::start(*base_, master_.get()));
      std::lock_guard lock(faults_mutex_);
      faults_to_ = worker_.get();
    }
    return run_on(loop_.loop(), [&]() -> Status {
      reload_ = std::make_unique<Reload>(*base_, read_, master_.get(), worker_.get());
      add_commands(*control_, *base_, master_.get(), worker_.get(), *reload_);
      control_->serve();
      watchdog_.emplace(loop_.loop());
      return {};
    });
  }

 private:
  config::Config config_;
  const Reload::Read read_;
  DirectoryLock lock_;
  LoopThread loop_{"core"};
  WorkerPool pool_{"work", kWorkerThreadsMax, kWorkQueueMax};
  bus::Context bus_;
  std::unique_ptr<plugin::Plugins> plugins_;
  std::unique_ptr<plugin::Host> host_;
  std::unique_ptr<Base> base_;
  std::unique_ptr<Master> master_;
  std::unique_ptr<Worker> worker_;
  std::mutex faults_mutex_;
  Worker* faults_to_ = nullptr;  // as long as it can be told
  Master* master_faults_to_ = nullptr;
  std::unique_ptr<Reload> reload_;
  std::unique_ptr<ControlSocket> control_;
  std::optional<Watchdog> watchdog_;
};

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::start(config::Config config, std::function<Result<config::Config>()> read) {
  auto daemon = std::make_unique<RunningDaemon>(std::move(config), std::move(read));
  LOTSE_CHECK_OK(daemon->begin());
  return std::unique_ptr<Daemon>(std::move(daemon));
}

}  // namespace lotse::daemon
