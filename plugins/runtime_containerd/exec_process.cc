#include "plugins/runtime_containerd/exec_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lotse/abi/stream.h"
#include "lotse/runtime_containerd/containerd.pb.h"
#include "plugins/container_engine/json.h"

namespace lotse::runtime_containerd {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kShortCall = 30 * kSecond;
constexpr size_t kChunk = 32 << 10;
constexpr char kProcessType[] = "types.containerd.io/opencontainers/runtime-spec/1/Process";

size_t index_of(uint32_t channel) {
  return channel == LOTSE_STDOUT ? 0 : 1;
}

}  // namespace

ExecProcess::ExecProcess(Engine& engine, ExecRequest request, std::weak_ptr<ExecTaker> taker)
    : engine_(engine), request_(std::move(request)), taker_(std::move(taker)) {}

ExecProcess::~ExecProcess() {
  clean_up();
}

void ExecProcess::start(int64_t start_deadline_ns) {
  engine_.spawn_step([self = shared_from_this(), start_deadline_ns] { return self->run(start_deadline_ns); });
}

Co<Done> ExecProcess::run(int64_t start_deadline_ns) {
  auto self = shared_from_this();
  Outcome<int> outcome = Failure{LOTSE_INTERNAL, "exec did not run"};
  try {
    outcome = co_await steps(start_deadline_ns);
  } catch (...) {
    auto caught = sdk::caught("exec");
    outcome = Failure{caught.code, caught.sentence};
  }
  if (killed_) outcome = Failure{LOTSE_CANCELLED, "the process was killed"};
  clean_up();
  if (auto taker = taker_.lock()) {
    taker->ended(outcome.ok() ? ExecEnd(*outcome) : ExecEnd(outcome.failure()));
  }
  co_return Done{};
}

Co<Outcome<int>> ExecProcess::steps(int64_t deadline) {
  co_await engine_.ready(deadline);
  ctrd::GetContainerRequest which;
  which.set_id(request_.container);
  auto known = co_await engine_.call<ctrd::GetContainerResponse>(method::kContainerGet, which, deadline);
  std::string process = exec_process_json(known.container().spec().value(), request_.command, request_.tty);
  if (process.empty()) co_return Failure{LOTSE_INTERNAL, "the container's specification cannot be read"};
  if (killed_) co_return Failure{LOTSE_CANCELLED, "cancelled"};

  exec_id_ = engine_.fresh_name("exec");
  make_fifos();
  ctrd::ExecRequest exec;
  exec.set_container_id(request_.container);
  exec.set_exec_id(exec_id_);
  exec.set_terminal(request_.tty);
  if (request_.in) exec.set_stdin(fifo("stdin"));
  if (request_.out) exec.set_stdout(fifo("stdout"));
  if (request_.err) exec.set_stderr(fifo("stderr"));
  exec.mutable_spec()->set_type_url(kProcessType);
  exec.mutable_spec()->set_value(process);
  co_await engine_.call<ctrd::Empty>(method::kTaskExec, exec, deadline);

  if (request_.in) open_stdin();
  ctrd::ProcessRequest name;
  name.set_container_id(request_.container);
  name.set_exec_id(exec_id_);
  auto started = co_await engine_.try_call<ctrd::StartResponse>(method::kTaskStart, name, deadline);
  Outcome<int> outcome = Failure{LOTSE_INTERNAL, ""};
  if (!started.ok()) {
    outcome = started.failure();
  } else {
    started_ = true;
    if (killed_) signal(SIGKILL);
    if (width_ != 0) resize(width_, height_);
    write_stdin();
    outcome = co_await exit_of();
    exited_ = true;
    if (outcome.ok()) co_await drain();
  }
  // Deleting makes the shim close its ends, so what a child left behind holds open ends here.
  co_await engine_.try_call<ctrd::Empty>(method::kTaskDeleteProcess, name, Reactor::now_ns() + kShortCall);
  read_output(LOTSE_STDOUT);
  read_output(LOTSE_STDERR);
  co_return outcome;
}

Co<Outcome<int>> ExecProcess::exit_of() {
  ctrd::ProcessRequest name;
  name.set_container_id(request_.container);
  name.set_exec_id(exec_id_);
  // No deadline: an exec may last as long as its container.
  auto exit = co_await engine_.try_call<ctrd::WaitResponse>(method::kTaskWait, name, INT64_MAX / 2);
  if (!exit.ok()) co_return exit.failure();
  co_return static_cast<int>(exit->exit_status());
}

// Until the outputs have ended, or nothing has come for a second although there was room: then a child of the process
// holds them open.
Co<Done> ExecProcess::drain() {
  for (;;) {
    read_output(LOTSE_STDOUT);
    read_output(LOTSE_STDERR);
    auto taker = taker_.lock();
    if (outputs_ended() || killed_ || !taker) co_return Done{};
    uint64_t before = bytes_out_;
    bool room = taker->has_room();
    taker.reset();
    Callback<Done> something([&](std::function<void(Done)> done) {
      uint64_t timer = engine_.reactor.timer(kSecond, [self = shared_from_this()] {
        if (auto waiter = std::exchange(self->outputs_waiter_, nullptr)) waiter(Done{});
      });
      outputs_waiter_ = [this, timer, done = std::move(done)](Done) {
        engine_.reactor.timer_stop(timer);
        done(Done{});
      };
    });
    co_await something;
    if (!outputs_ended() && room && before == bytes_out_) co_return Done{};
  }
}

void ExecProcess::make_fifos() {
  directory_ = engine_.settings.run_dir + "/io/" + exec_id_;
  bool made = mkdir(directory_.c_str(), 0700) == 0;
  if (request_.in) made = made && mkfifo(fifo("stdin").c_str(), 0600) == 0;
  if (request_.out) made = made && mkfifo(fifo("stdout").c_str(), 0600) == 0;
  if (request_.err) made = made && mkfifo(fifo("stderr").c_str(), 0600) == 0;
  if (!made) throw sdk::Failure(LOTSE_UNAVAILABLE, "cannot make FIFOs in " + directory_ + ": " + strerror(errno));
  if (request_.out) open_output(LOTSE_STDOUT);
  if (request_.err) open_output(LOTSE_STDERR);
}

void ExecProcess::open_output(uint32_t channel) {
  Output& output = outputs_[index_of(channel)];
  output.fd = open(fifo(channel == LOTSE_STDOUT ? "stdout" : "stderr").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (output.fd < 0) throw sdk::Failure(LOTSE_UNAVAILABLE, std::string("cannot open a FIFO: ") + strerror(errno));
  output.watch = engine_.reactor.watch(output.fd, EPOLLIN, [weak = weak_from_this(), channel](uint32_t events) {
    auto self = weak.lock();
    if (!self) return;
    if (events & (EPOLLHUP | EPOLLERR)) self->outputs_[index_of(channel)].hung_up = true;
    self->read_output(channel);
  });
}

void ExecProcess::read_output(uint32_t channel) {
  Output& output = outputs_[index_of(channel)];
  std::array<char, kChunk> buffer;
  while (output.fd >= 0) {
    auto taker = taker_.lock();
    if (!taker || !taker->has_room()) return;
    ssize_t n = read(output.fd, buffer.data(), buffer.size());
    if (n > 0) {
      bytes_out_ += static_cast<uint64_t>(n);
      taker->output(channel, {buffer.data(), static_cast<size_t>(n)});
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n == 0 && !output.hung_up) return;  // nobody has opened the other end yet
    close_output(channel);
  }
}

void ExecProcess::close_output(uint32_t channel) {
  Output& output = outputs_[index_of(channel)];
  if (output.fd < 0) return;
  engine_.reactor.unwatch(output.watch);
  close(output.fd);
  output.fd = -1;
  if (!outputs_ended()) return;
  // Resumed from the loop: the coroutine may not go on while we are within its own read.
  if (auto waiter = std::exchange(outputs_waiter_, nullptr)) engine_.reactor.post([waiter] { waiter(Done{}); });
}

void ExecProcess::room_again() {
  read_output(LOTSE_STDOUT);
  read_output(LOTSE_STDERR);
}

void ExecProcess::open_stdin() {
  opener_ = std::thread([path = fifo("stdin"), weak = weak_from_this(), &reactor = engine_.reactor] {
    int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    reactor.post([weak, fd] {
      auto self = weak.lock();
      if (self) {
        self->stdin_opened(fd);
      } else if (fd >= 0) {
        close(fd);
      }
    });
  });
}

void ExecProcess::stdin_opened(int fd) {
  if (opener_.joinable()) opener_.join();
  if (fd < 0) return;
  if (directory_.empty() || exited_) {
    close(fd);
    return;
  }
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  stdin_fd_ = fd;
  stdin_watch_ = engine_.reactor.watch(fd, EPOLLOUT, [weak = weak_from_this()](uint32_t) {
    if (auto self = weak.lock()) self->write_stdin();
  });
  write_stdin();
}

void ExecProcess::write(std::string_view data) {
  if (stdin_done_ || stdin_closing_) {
    if (auto taker = taker_.lock()) taker->input_taken(data.size());
    return;
  }
  stdin_pending_.append(data);
  write_stdin();
}

void ExecProcess::close_stdin() {
  stdin_closing_ = true;
  write_stdin();
}

void ExecProcess::write_stdin() {
  size_t taken = 0;
  while (stdin_fd_ >= 0 && stdin_written_ < stdin_pending_.size()) {
    ssize_t n = ::write(stdin_fd_, stdin_pending_.data() + stdin_written_, stdin_pending_.size() - stdin_written_);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) {  // the process has closed its input: the rest goes nowhere, as with a broken pipe
      taken += stdin_pending_.size() - stdin_written_;
      stdin_written_ = stdin_pending_.size();
      stdin_closing_ = true;
      break;
    }
    taken += static_cast<size_t>(n);
    stdin_written_ += static_cast<size_t>(n);
  }
  if (stdin_written_ == stdin_pending_.size()) {
    std::string().swap(stdin_pending_);
    stdin_written_ = 0;
  }
  if (taken > 0) {
    if (auto taker = taker_.lock()) taker->input_taken(taken);
  }
  if (stdin_closing_ && stdin_pending_.empty()) finish_stdin();
}

void ExecProcess::finish_stdin() {
  if (stdin_fd_ >= 0) {
    engine_.reactor.unwatch(stdin_watch_);
    close(stdin_fd_);
    stdin_fd_ = -1;
    stdin_done_ = true;
  }
  if (!stdin_done_ || !started_ || exited_ || stdin_close_sent_) return;
  stdin_close_sent_ = true;
  ctrd::CloseIORequest request;
  request.set_container_id(request_.container);
  request.set_exec_id(exec_id_);
  request.set_stdin(true);
  fire_and_forget(method::kTaskCloseIO, request.SerializeAsString());
}

void ExecProcess::resize(uint32_t width, uint32_t height) {
  width_ = width;
  height_ = height;
  if (!started_ || exited_ || !request_.tty) return;
  ctrd::ResizePtyRequest request;
  request.set_container_id(request_.container);
  request.set_exec_id(exec_id_);
  request.set_width(width);
  request.set_height(height);
  fire_and_forget(method::kTaskResizePty, request.SerializeAsString());
}

void ExecProcess::signal(int number) {
  if (!started_ || exited_) return;
  ctrd::KillRequest request;
  request.set_container_id(request_.container);
  request.set_exec_id(exec_id_);
  request.set_signal(static_cast<uint32_t>(number));
  fire_and_forget(method::kTaskKill, request.SerializeAsString());
}

void ExecProcess::kill() {
  killed_ = true;
  signal(SIGKILL);
  if (auto waiter = std::exchange(outputs_waiter_, nullptr)) waiter(Done{});
}

void ExecProcess::fire_and_forget(const char* method, std::string request) {
  GrpcHandler handler;
  handler.on_end = [this_engine = &engine_, method](const GrpcStatus& status) {
    if (!status.ok()) this_engine->host.debug("exec.call", status.message, {{"method", method}});
  };
  auto stream = engine_.client.stream(method, std::move(handler), {Reactor::now_ns() + kShortCall, {}});
  stream->send(request);
  stream->finish();
}

// A reader of our own lets the opener's open return.
void ExecProcess::join_opener() {
  if (!opener_.joinable()) return;
  int fd = open(fifo("stdin").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  opener_.join();
  if (fd >= 0) close(fd);
}

void ExecProcess::clean_up() {
  if (directory_.empty()) return;
  exited_ = true;
  join_opener();
  close_output(LOTSE_STDOUT);
  close_output(LOTSE_STDERR);
  finish_stdin();
  for (const char* name : {"stdin", "stdout", "stderr"}) unlink(fifo(name).c_str());
  rmdir(directory_.c_str());
  directory_.clear();
}

}  // namespace lotse::runtime_containerd
