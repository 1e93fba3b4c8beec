#include "plugins/container_engine/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/container_engine/process_file.h"

namespace lotse::container_engine {
namespace {

constexpr int64_t kMs = 1'000'000, kSecond = 1'000'000'000;
constexpr int64_t kAskFirst = 5 * kMs, kAskMax = 250 * kMs;
constexpr int64_t kRestartFirst = 100 * kMs, kRestartMax = 30 * kSecond;
constexpr int64_t kStable = 60 * kSecond;  // alive so long, it has earned a quick restart
constexpr off_t kLogMax = 16 << 20;

}  // namespace

Supervisor::Supervisor(const sdk::Host& host, Reactor& reactor, bool managed, Daemon daemon)
    : host_(host), reactor_(reactor), managed_(managed), daemon_(std::move(daemon)) {}

Supervisor::~Supervisor() {
  if (pidfd_ >= 0) close(pidfd_);
  if (lock_ >= 0) close(lock_);
}

std::string Supervisor::fault_reason() const {
  std::string reason = daemon_.name + "Down";
  reason[0] = static_cast<char>(toupper(reason[0]));
  return reason;
}

void Supervisor::start() {
  if (managed_) begin();
}

void Supervisor::lost() {
  if (!managed_ || stopped_ || !ready_) return;
  ready_ = false;
  ask_delay_ns_ = kAskFirst;
  retry_ = reactor_.timer(kAskFirst, [this] { ask(); });
}

void Supervisor::stop() {
  stopped_ = true;
  reactor_.timer_stop(retry_);
  reactor_.unwatch(watch_);
  answer_waiters(Failure{LOTSE_CANCELLED, "the plugin is being stopped"});
}

Co<Done> Supervisor::ready(int64_t deadline_ns) {
  Callback<Verdict> up([&](auto done) { when_ready(deadline_ns, std::move(done)); });
  Verdict verdict = co_await up;
  if (!verdict.ok()) verdict.failure().raise();
  co_return Done{};
}

void Supervisor::when_ready(int64_t deadline_ns, std::function<void(Verdict)> done) {
  if (stopped_ || ready_ || !managed_) {
    Verdict verdict = stopped_ ? Verdict(Failure{LOTSE_CANCELLED, "the plugin is being stopped"}) : Verdict(Done{});
    return reactor_.post([done = std::move(done), verdict] { done(verdict); });
  }
  auto waiter = waiters_.insert(waiters_.end(), {0, std::move(done)});
  waiter->timer = reactor_.timer_at(deadline_ns, [this, waiter] {
    auto late = std::move(waiter->done);
    waiters_.erase(waiter);
    late(Failure{LOTSE_UNAVAILABLE, daemon_.name + " is not up yet"});
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
  std::string path = file(".lock");
  lock_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock_ < 0) return failed("cannot open " + path + ": " + strerror(errno));
  if (flock(lock_, LOCK_EX | LOCK_NB) != 0) return failed("another process is starting " + daemon_.name + ": " + path);
  if (!find_running()) launch();
  if (lock_ >= 0) close(lock_);
  lock_ = -1;
}

bool Supervisor::find_running() {
  auto known = read_process_file(file(".pid"));
  if (!known || process_start(known->pid) != known->start || known->socket != daemon_.socket) return false;
  host_.info((daemon_.name + ".found").c_str(), "the " + daemon_.name + " that was started before runs on",
             {{"pid", known->pid}});
  adopt(known->pid);
  return pidfd_ >= 0;
}

void Supervisor::launch() {
  auto arguments = daemon_.prepare();
  if (!arguments.ok()) return failed(arguments.failure().message);
  std::string log = log_path();
  struct stat facts {};
  if (stat(log.c_str(), &facts) == 0 && facts.st_size > kLogMax) rename(log.c_str(), (log + ".1").c_str());
  std::string why;
  int pid = spawn_daemon(*arguments, log, &why);
  if (pid == 0) return failed(why);
  write_process_file(file(".pid"), {pid, process_start(pid), daemon_.socket});
  std::string score = "/proc/" + std::to_string(pid) + "/oom_score_adj";
  int fd = open(score.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, "-999", 4) != 4) {
    host_.debug((daemon_.name + ".oom_score").c_str(), "its oom_score_adj cannot be lowered here");
  }
  if (fd >= 0) close(fd);
  host_.info((daemon_.name + ".started").c_str(), "started a " + daemon_.name, {{"pid", pid}, {"log", log}});
  adopt(pid);
}

void Supervisor::adopt(int pid) {
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd_ < 0) return failed(daemon_.name + " is gone again");
  pid_ = pid;
  watch_ = reactor_.watch(pidfd_, EPOLLIN, [this](uint32_t) { died(); });
  ask_delay_ns_ = kAskFirst;
  ask();
}

void Supervisor::ask() {
  daemon_.ask([this](bool works) { asked(works); });
}

void Supervisor::asked(bool works) {
  if (stopped_ || pidfd_ < 0 || wanted_down_) return;
  if (works) return became_ready();
  retry_ = reactor_.timer(ask_delay_ns_, [this] { ask(); });
  ask_delay_ns_ = std::min(ask_delay_ns_ * 2, kAskMax);
}

void Supervisor::became_ready() {
  ready_ = true;
  ready_since_ns_ = Reactor::now_ns();
  host_.clear_fault(daemon_.name.c_str());
  if (daemon_.on_ready) daemon_.on_ready();
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
  if (daemon_.on_down) daemon_.on_down();
  if (std::exchange(wanted_down_, false)) {
    host_.info((daemon_.name + ".restart").c_str(), daemon_.name + " has ended to be started with another configuration");
    return begin();
  }
  failed(daemon_.name + " (pid " + std::to_string(pid_) + ") has ended; its log is " + log_path());
}

void Supervisor::restart() {
  if (pidfd_ < 0 || wanted_down_) return;  // the next start is on its way
  wanted_down_ = true;
  ready_ = false;
  reactor_.timer_stop(retry_);
  syscall(SYS_pidfd_send_signal, pidfd_, SIGTERM, nullptr, 0);
}

void Supervisor::failed(const std::string& why) {
  if (lock_ >= 0) close(lock_);
  lock_ = -1;
  if (stopped_) return;
  restart_delay_ns_ = restart_delay_ns_ == 0 ? kRestartFirst : std::min(restart_delay_ns_ * 2, kRestartMax);
  host_.warn((daemon_.name + ".down").c_str(), why, {{"retry_ms", restart_delay_ns_ / kMs}});
  host_.raise_fault(daemon_.name.c_str(), fault_reason().c_str(), why);
  reactor_.timer_stop(retry_);
  retry_ = reactor_.timer(restart_delay_ns_, [this] { begin(); });
}

}  // namespace lotse::container_engine
