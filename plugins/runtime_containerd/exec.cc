// exec as a stream, and exec_sync as a call.
#include <signal.h>

#include "plugins/runtime_containerd/exec_process.h"
#include "plugins/runtime_containerd/runtime.h"
#include "plugins/runtime_containerd/signal_name.h"

namespace lotse::runtime_containerd {
namespace {

constexpr int64_t kStartTimeoutNs = 60'000'000'000;
constexpr size_t kSyncOutputMax = 16 << 10;

class ExecStream : public sdk::Producer, public ExecTaker {
 public:
  ExecStream(Engine& engine, ExecRequest request)
      : Producer(engine.executor()), engine_(engine), request_(std::move(request)) {}

  // ExecTaker; on the reactor
  bool has_room() override { return credit() > 0; }
  void output(uint32_t channel, std::string_view data) override { send(channel, data); }
  void input_taken(size_t bytes) override { consumed(bytes); }
  void ended(Outcome<int> exit_code) override {
    if (exit_code.ok()) {
      end(Msg::map({{"exit_code", *exit_code}}));
    } else {
      fail(exit_code.failure().code, exit_code.failure().message);
    }
    engine_.remove(this);
  }

 protected:
  void on_open() override {
    on_reactor([self = shared()] {
      self->process_ = std::make_shared<ExecProcess>(self->engine_, self->request_, std::weak_ptr<ExecTaker>(self));
      self->engine_.add(self, [self] { self->process_->kill(); });
      self->process_->start(Reactor::now_ns() + kStartTimeoutNs);
    });
  }
  void on_credit() override {
    on_reactor([self = shared()] { self->process_->room_again(); });
  }
  bool on_write(uint32_t channel, std::string_view data) override {
    if (channel != LOTSE_STDIN || !request_.in) return false;
    on_reactor([self = shared(), copy = std::string(data)] { self->process_->write(copy); });
    return true;
  }
  void on_half_close(uint32_t channel) override {
    if (channel != LOTSE_STDIN || !request_.in) return;
    on_reactor([self = shared()] { self->process_->close_stdin(); });
  }
  bool on_control(uint32_t kind, const Msg& payload) override {
    if (kind == LOTSE_CONTROL_RESIZE && request_.tty) {
      auto width = static_cast<uint32_t>(need_int(payload, "width", 0, 65535));
      auto height = static_cast<uint32_t>(need_int(payload, "height", 0, 65535));
      on_reactor([self = shared(), width, height] { self->process_->resize(width, height); });
      return true;
    }
    if (kind == LOTSE_CONTROL_SIGNAL) {
      int number = signal_number(get_text(payload, "signal"));
      if (number == 0) return false;
      on_reactor([self = shared(), number] { self->process_->signal(number); });
      return true;
    }
    return false;
  }
  void on_cancel() override {
    on_reactor([self = shared()] { self->process_->kill(); });
  }

 private:
  std::shared_ptr<ExecStream> shared() { return std::static_pointer_cast<ExecStream>(shared_from_this()); }
  void on_reactor(std::function<void()> fn) { engine_.reactor.post(std::move(fn)); }

  Engine& engine_;
  const ExecRequest request_;
  std::shared_ptr<ExecProcess> process_;  // the reactor's
};

// Keeps the first of what the process writes.
class Collector : public ExecTaker {
 public:
  bool has_room() override { return true; }
  void output(uint32_t channel, std::string_view data) override {
    std::string& kept = channel == LOTSE_STDOUT ? out : err;
    kept.append(data.substr(0, kSyncOutputMax - std::min(kSyncOutputMax, kept.size())));
  }
  void input_taken(size_t) override {}
  void ended(Outcome<int> code) override {
    auto tell = std::move(on_end);
    tell(std::move(code));
  }

  std::string out, err;
  std::function<void(Outcome<int>)> on_end;
};

Co<Msg> exec_sync_step(Engine& engine, Msg request, int64_t deadline) {
  ExecRequest wanted = ExecRequest::parse(request);
  wanted.in = wanted.tty = false;
  wanted.out = wanted.err = true;
  int64_t timeout = get_int(request, "timeout_ns");
  if (timeout < 0) refuse("the key \"timeout_ns\" must not be negative");
  auto collector = std::make_shared<Collector>();
  auto process = std::make_shared<ExecProcess>(engine, wanted, std::weak_ptr<ExecTaker>(collector));
  auto late = std::make_shared<bool>(false);
  int64_t until = timeout > 0 ? std::min(deadline, Reactor::now_ns() + timeout) : deadline;
  uint64_t timer = engine.reactor.timer_at(until, [process, late] {
    *late = true;
    process->kill();
  });
  Callback<Outcome<int>> exit([&](std::function<void(Outcome<int>)> done) {
    collector->on_end = std::move(done);
    process->start(deadline);
  });
  Outcome<int> code = co_await exit;
  engine.reactor.timer_stop(timer);
  if (*late) throw sdk::Failure(LOTSE_DEADLINE, "the command did not end in time and was killed");
  int status = std::move(code).take();
  co_return Msg::map(
      {{"exit_code", status}, {"stdout", Msg::bin(collector->out)}, {"stderr", Msg::bin(collector->err)}});
}

}  // namespace

sdk::ProducerPtr ContainerdRuntime::exec(const Msg& request) {
  return std::make_shared<ExecStream>(engine_, ExecRequest::parse(request));
}

void ContainerdRuntime::exec_sync(const Msg& request, sdk::Call call) {
  ExecRequest::parse(request);  // so that what is wrong with it is said before anything waits
  engine_.serve(call, [this, request](int64_t deadline) { return exec_sync_step(engine_, request, deadline); });
}

}  // namespace lotse::runtime_containerd
