#include "plugins/runtime_containerd/supervisor.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lotse/runtime_containerd/cri.pb.h"
#include "plugins/runtime_containerd/managed_config.h"
#include "plugins/runtime_containerd/process_file.h"

namespace lotse::runtime_containerd {
namespace {

constexpr int64_t kMs = 1'000'000, kSecond = 1'000'000'000;
constexpr int64_t kAskFirst = 5 * kMs, kAskMax = 250 * kMs;
constexpr int64_t kRestartFirst = 100 * kMs, kRestartMax = 30 * kSecond;
constexpr int64_t kStable = 60 * kSecond;  // alive so long, it has earned a quick restart
constexpr off_t kLogMax = 16 << 20;
constexpr char kFault[] = "containerd";

}  // namespace

Supervisor::Supervisor(const sdk::Host& host, const Settings& settings, GrpcClient& grpc, ContainerdClient& client)
    : host_(host), settings_(settings), grpc_(grpc), client_(client), reactor_(client.reactor()) {}

Supervisor::~Supervisor() {
  if (pidfd_ >= 0) close(pidfd_);
  if (lock_ >= 0) close(lock_);
}

void Supervisor::start() {
  if (!settings_.managed) return;
  // Usually because it has died, which the pidfd is about to tell; until it answers again, calls wait.
  grpc_.on_lost = [this] {
    if (stopped_ || !ready_) return;
    ready_ = false;
    ask_delay_ns_ = kAskFirst;
    retry_ = reactor_.timer(kAskFirst, [this] { ask(); });
  };
  begin();
}

void Supervisor::stop() {
  stopped_ = true;
  reactor_.timer_stop(retry_);
  reactor_.unwatch(watch_);
  answer_waiters(Failure{LOTSE_CANCELLED, "the plugin is being stopped"});
}

void Supervisor::when_ready(int64_t deadline_ns, std::function<void(Verdict)> done) {
  if (stopped_ || ready_ || !settings_.managed) {
    Verdict verdict = stopped_ ? Verdict(Failure{LOTSE_CANCELLED, "the plugin is being stopped"}) : Verdict(Done{});
    return reactor_.post([done = std::move(done), verdict] { done(verdict); });
  }
  auto waiter = waiters_.insert(waiters_.end(), {0, std::move(done)});
  waiter->timer = reactor_.timer_at(deadline_ns, [this, waiter] {
    auto late = std::move(waiter->done);
    waiters_.erase(waiter);
    late(Failure{LOTSE_UNAVAILABLE, "containerd is not up yet"});
  });
}

void Supervisor::answer_waiters(const Verdict& verdict) {
  auto waiters = std::move(waiters_);
  waiters_.clear();
  for (auto& waiter : waiters) {
    reactor_.timer_stop(waiter.timer);
    waiter.done(verdict);
  }
}

void Supervisor::begin() {
  if (stopped_) return;
  std::string path = settings_.run_dir + "/containerd.lock";
  lock_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) return failed("cannot open " + path + ": " + strerror(errno));
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) return failed("another process is starting containerd: " + path);
  if (!find_running()) launch();
  close(lock_);
  lock_ = -1;
}

bool Supervisor::find_running() {
  auto file = read_process_file(settings_.run_dir + "/containerd.pid");
  if (!file || process_start(file->pid) != file->start || file->socket != settings_.socket) return false;
  host_.info("containerd.found", "the containerd that was started before runs on", {{"pid", file->pid}});
  adopt(file->pid);
  return pidfd_ >= 0;
}

void Supervisor::launch() {
  HostAbilities abilities = probe_host(settings_.data_dir);
  std::string config = settings_.data_dir + "/containerd.toml", log = settings_.data_dir + "/containerd.log";
  mkdir(settings_.cni_conf_dir.c_str(), 0700);
  if (!replace_file(config, managed_config_toml(settings_, abilities))) {
    return failed("cannot write " + config + ": " + strerror(errno));
  }
  struct stat facts {};
  if (stat(log.c_str(), &facts) == 0 && facts.st_size > kLogMax) rename(log.c_str(), (log + ".1").c_str());
  std::string why;
  int pid = spawn_daemon({settings_.containerd, "--config", config}, log, &why);
  if (pid == 0) return failed(why);
  write_process_file(settings_.run_dir + "/containerd.pid", {pid, process_start(pid), settings_.socket});
  std::string score = "/proc/" + std::to_string(pid) + "/oom_score_adj";
  int fd = open(score.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, "-999", 4) != 4) {
    host_.debug("containerd.oom_score", "containerd's oom_score_adj cannot be lowered here");
  }
  if (fd >= 0) close(fd);
  host_.info("containerd.started", "started a containerd", {{"pid", pid}, {"log", log}});
  adopt(pid);
}

void Supervisor::adopt(int pid) {
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd_ < 0) return failed("containerd is gone again");
  pid_ = pid;
  watch_ = reactor_.watch(pidfd_, EPOLLIN, [this](uint32_t) { died(); });
  ask_delay_ns_ = kAskFirst;
  ask();
}

void Supervisor::ask() {
  GrpcHandler handler;
  handler.on_end = [this](const GrpcStatus& status) { asked(status); };
  auto stream = client_.stream(method::kStatus, std::move(handler), {Reactor::now_ns() + 5 * kSecond, {}});
  stream->send(cri::StatusRequest().SerializeAsString());
  stream->finish();
}

void Supervisor::asked(const GrpcStatus& status) {
  if (stopped_ || pidfd_ < 0) return;
  if (status.ok()) return became_ready();
  retry_ = reactor_.timer(ask_delay_ns_, [this] { ask(); });
  ask_delay_ns_ = std::min(ask_delay_ns_ * 2, kAskMax);
}

void Supervisor::became_ready() {
  ready_ = true;
  ready_since_ns_ = Reactor::now_ns();
  host_.clear_fault(kFault);
  answer_waiters(Done{});
}

void Supervisor::died() {
  reactor_.unwatch(watch_);
  watch_ = 0;
  siginfo_t info{};
  waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd_), &info, WEXITED | WNOHANG);  // if it is our child
  close(pidfd_);
  pidfd_ = -1;
  ready_ = false;
  if (ready_since_ns_ != 0 && Reactor::now_ns() - ready_since_ns_ > kStable) restart_delay_ns_ = 0;
  ready_since_ns_ = 0;
  grpc_.disconnect("containerd has ended");
  failed("containerd (pid " + std::to_string(pid_) + ") has ended; its log is " + settings_.data_dir +
         "/containerd.log");
}

void Supervisor::failed(const std::string& why) {
  if (lock_ >= 0) close(lock_);
  lock_ = -1;
  if (stopped_) return;
  restart_delay_ns_ = restart_delay_ns_ == 0 ? kRestartFirst : std::min(restart_delay_ns_ * 2, kRestartMax);
  host_.warn("containerd.down", why, {{"retry_ms", restart_delay_ns_ / kMs}});
  host_.raise_fault(kFault, "ContainerdDown", why);
  reactor_.timer_stop(retry_);
  retry_ = reactor_.timer(restart_delay_ns_, [this] { begin(); });
}

}  // namespace lotse::runtime_containerd
