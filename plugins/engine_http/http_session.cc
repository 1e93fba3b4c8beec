#include "plugins/engine_http/http_session.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lotse::engine_http {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kShortCall = 30 * kSecond;
// How Docker and Podman begin what they write in place of output when there is no such program.
constexpr std::string_view kComplaints[] = {"OCI runtime exec failed", "Error: runc: ", "Error: crun: "};
constexpr int kCannotRun = 126, kNotFound = 127;

bool may_be_complaint(const std::string& text) {
  for (auto complaint : kComplaints) {
    size_t n = std::min(text.size(), complaint.size());
    if (text.compare(0, n, complaint.substr(0, n)) == 0) return true;
  }
  return false;
}

}  // namespace

void FrameReader::feed(std::string_view data, const std::function<void(uint32_t, std::string_view)>& take) {
  constexpr size_t kHead = 8;
  while (!data.empty()) {
    if (left_ == 0) {
      size_t n = std::min(kHead - head_.size(), data.size());
      head_.append(data.substr(0, n));
      data.remove_prefix(n);
      if (head_.size() < kHead) return;
      channel_ = static_cast<uint8_t>(head_[0]);
      for (size_t i = 4; i < kHead; i++) left_ = left_ << 8 | static_cast<uint8_t>(head_[i]);
      head_.clear();
      continue;
    }
    size_t n = std::min<size_t>(left_, data.size());
    take(channel_, data.substr(0, n));
    data.remove_prefix(n);
    left_ -= static_cast<uint32_t>(n);
  }
}

HttpSession::HttpSession(HttpEngine& engine, ExecRequest request, std::weak_ptr<ExecTaker> taker, bool attach)
    : engine_(engine), request_(std::move(request)), taker_(std::move(taker)), attach_(attach), raw_(request_.tty) {}

void HttpSession::start(int64_t start_deadline_ns) {
  engine_.spawn_step([self = shared_from_this(), start_deadline_ns] { return self->run(start_deadline_ns); });
}

Co<Done> HttpSession::run(int64_t deadline) {
  auto self = shared_from_this();
  ExecEnd outcome = Failure{LOTSE_INTERNAL, "exec did not run"};
  try {
    outcome = co_await steps(deadline);
  } catch (...) {
    auto caught = sdk::caught("exec");
    outcome = Failure{caught.code, caught.sentence};
  }
  if (killed_) outcome = Failure{LOTSE_CANCELLED, attach_ ? "cancelled" : "the process was killed"};
  over_ = true;
  engine_.hub.unwatch_exec(exec_id_);
  engine_.reactor.timer_stop(silence_);
  if (exchange_) exchange_->close();
  if (auto taker = taker_.lock()) taker->ended(std::move(outcome));
  co_return Done{};
}

Co<ExecEnd> HttpSession::steps(int64_t deadline) {
  co_await engine_.ready(deadline);
  auto facts = co_await engine_.inspect(request_.container, deadline);
  if (!facts.ok()) co_return facts.failure();
  if (attach_) {
    raw_ = facts->tty;
    std::string path = "/containers/" + request_.container + "/attach?stream=1&logs=0";
    path += std::string("&stdin=") + (request_.in ? "1" : "0") + "&stdout=" + (request_.out ? "1" : "0") +
            "&stderr=" + (request_.err ? "1" : "0");
    co_await stream(engine_.api.request("POST", path));
    co_return co_await attach_end(Reactor::now_ns() + kShortCall);
  }
  Msg body = engine_.dialect->exec_body(request_.command, request_.in, request_.out, request_.err, request_.tty);
  auto made = co_await engine_.call("POST", engine_.dialect->exec_path(request_.container), body, deadline);
  exec_id_ = made.json()["Id"].text();
  if (killed_) co_return Failure{LOTSE_CANCELLED, "cancelled"};
  engine_.hub.watch_exec(request_.container, exec_id_, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->process_ended();
  });
  may_complain_ = true;
  Msg start = Msg::map({{"Detach", false}, {"Tty", request_.tty}});
  co_await stream(engine_.api.request("POST", "/exec/" + exec_id_ + "/start", start));
  co_return co_await exec_end(Reactor::now_ns() + kShortCall);
}

// Returns when all has come, or nothing more is to be waited for.
Co<Done> HttpSession::stream(HttpRequest request) {
  request.upgrade = true;
  std::weak_ptr<HttpSession> weak = shared_from_this();
  HttpHandler handler;
  handler.has_room = [weak] {
    auto self = weak.lock();
    return self && (!self->streaming_ || self->has_room());
  };
  handler.on_head = [weak](int status, bool taken_over) {
    auto self = weak.lock();
    if (!self) return;
    self->status_ = status;
    self->streaming_ = taken_over;
    if (taken_over && self->width_ != 0) self->resize(self->width_, self->height_);
  };
  handler.on_body = [weak](std::string_view data) {
    if (auto self = weak.lock()) self->received(data);
  };
  handler.on_sent = [weak](size_t bytes) {
    auto self = weak.lock();
    auto taker = self ? self->taker_.lock() : nullptr;
    if (taker) taker->input_taken(bytes);
  };
  handler.on_end = [weak](const Verdict& verdict) {
    auto self = weak.lock();
    if (!self) return;
    self->stream_end_ = verdict;
    self->ended_ = true;
    self->wake();
  };
  exchange_ = engine_.api.start(std::move(request), std::move(handler), 0);
  if (!pending_in_.empty()) exchange_->write(std::exchange(pending_in_, {}));
  if (in_closed_) exchange_->finish();
  while (!ended_ && !killed_) {
    Callback<Done> something([this](std::function<void(Done)> done) { waiter_ = std::move(done); });
    co_await something;
  }
  if (status_ >= 400) failure_of({status_, refusal_}).raise();
  if (!killed_ && !stream_end_.ok()) stream_end_.failure().raise();
  co_return Done{};
}

Co<ExecEnd> HttpSession::exec_end(int64_t deadline) {
  auto answer = co_await engine_.call("GET", "/exec/" + exec_id_ + "/json", deadline);
  Json exec = answer.json();
  int code = static_cast<int>(exec["ExitCode"].number());
  if (exec["Running"].boolean() && killed_) co_await send_signal(SIGKILL);
  if (!complaint_.empty()) {
    // It never ran: what came instead of its output says why.
    if ((code == kCannotRun || code == kNotFound) && exec["Pid"].number() == 0) {
      while (!complaint_.empty() && (complaint_.back() == '\n' || complaint_.back() == '\r')) complaint_.pop_back();
      co_return Failure{LOTSE_UNKNOWN, complaint_};
    }
    may_complain_ = false;
    std::string text = std::move(complaint_);
    if (auto taker = taker_.lock()) taker->output(complaint_channel_, text);
  }
  co_return std::optional<int>(code);
}

Co<ExecEnd> HttpSession::attach_end(int64_t deadline) {
  auto facts = co_await engine_.inspect(request_.container, deadline);
  if (facts.ok() && facts->state == ContainerFacts::State::exited) co_return std::optional<int>(facts->exit_code);
  co_return std::optional<int>();
}

bool HttpSession::has_room() const {
  auto taker = taker_.lock();
  return !taker || taker->has_room();
}

void HttpSession::received(std::string_view data) {
  if (!streaming_) {
    refusal_.append(data.substr(0, (64 << 10) - std::min<size_t>(64 << 10, refusal_.size())));
    return;
  }
  bytes_out_ += data.size();
  if (raw_) return deliver(LOTSE_STDOUT, data);
  frames_.feed(data, [this](uint32_t channel, std::string_view piece) { deliver(channel, piece); });
}

void HttpSession::deliver(uint32_t channel, std::string_view data) {
  if (may_complain_) {
    complaint_.append(data);
    complaint_channel_ = channel;
    if (may_be_complaint(complaint_) && complaint_.size() < (16 << 10)) return;
    may_complain_ = false;
    std::string kept = std::move(complaint_);
    complaint_.clear();
    if (auto taker = taker_.lock()) taker->output(channel, kept);
    return;
  }
  if (channel != LOTSE_STDOUT && channel != LOTSE_STDERR) return;
  if (auto taker = taker_.lock()) taker->output(channel, data);
}

void HttpSession::write(std::string_view data) {
  if (over_ || in_closed_) {
    if (auto taker = taker_.lock()) taker->input_taken(data.size());
    return;
  }
  if (exchange_) {
    exchange_->write(data);
  } else {
    pending_in_.append(data);
  }
}

void HttpSession::close_stdin() {
  if (std::exchange(in_closed_, true)) return;
  if (exchange_) exchange_->finish();
}

void HttpSession::resize(uint32_t width, uint32_t height) {
  width_ = width;
  height_ = height;
  if (!streaming_ || over_) return;
  engine_.spawn_step([self = shared_from_this()] { return self->send_resize(); });
}

Co<Done> HttpSession::send_resize() {
  auto self = shared_from_this();
  std::string what = attach_ ? "/containers/" + request_.container : "/exec/" + exec_id_;
  std::string path = what + "/resize?h=" + std::to_string(height_) + "&w=" + std::to_string(width_);
  co_await engine_.try_call("POST", path, Reactor::now_ns() + kShortCall);
  co_return Done{};
}

void HttpSession::signal(int number) {
  if (attach_ || exec_id_.empty() || over_) return;
  engine_.spawn_step([self = shared_from_this(), number] { return self->send_signal(number); });
}

// The engines' APIs send no signals to an exec's process, but tell its pid. It is held by a descriptor while it is
// asked again whether it is that process still.
Co<Done> HttpSession::send_signal(int number) {
  auto self = shared_from_this();
  std::string path = "/exec/" + exec_id_ + "/json";
  auto first = co_await engine_.call("GET", path, Reactor::now_ns() + kShortCall);
  Json exec = first.json();
  auto pid = static_cast<pid_t>(exec["Pid"].number());
  if (!exec["Running"].boolean() || pid <= 1) co_return Done{};
  int fd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (fd < 0) co_return Done{};
  auto again = co_await engine_.try_call("GET", path, Reactor::now_ns() + kShortCall);
  if (again.ok() && again->json()["Running"].boolean()) syscall(SYS_pidfd_send_signal, fd, number, nullptr, 0);
  close(fd);
  co_return Done{};
}

void HttpSession::kill() {
  if (killed_ || over_) return;
  signal(SIGKILL);
  killed_ = true;
  wake();
}

void HttpSession::room_again() {
  if (exchange_) exchange_->room_again();
}

// An event has told; where it is of another process of the container, the engine knows that ours still runs.
void HttpSession::process_ended() {
  if (!ended_ && !over_) engine_.spawn_step([self = shared_from_this()] { return self->look_whether_ended(); });
}

Co<Done> HttpSession::look_whether_ended() {
  auto self = shared_from_this();
  auto exec = co_await engine_.try_call("GET", "/exec/" + exec_id_ + "/json", Reactor::now_ns() + kShortCall);
  bool runs = exec.ok() && exec->json()["Running"].boolean();
  if (!runs && !ended_ && !over_ && silence_ == 0) watch_silence();
  co_return Done{};
}

void HttpSession::watch_silence() {
  silence_ = engine_.reactor.timer(kSecond, [weak = weak_from_this(), before = bytes_out_, room = has_room()] {
    auto self = weak.lock();
    if (!self || self->ended_ || self->over_) return;
    if (room && self->bytes_out_ == before && self->has_room()) {
      self->ended_ = true;
      return self->wake();
    }
    self->watch_silence();
  });
}

void HttpSession::wake() {
  if (auto waiter = std::exchange(waiter_, nullptr)) engine_.reactor.post([waiter] { waiter(Done{}); });
}

}  // namespace lotse::engine_http
