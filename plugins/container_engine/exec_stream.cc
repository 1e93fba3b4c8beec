// exec as a stream, and exec_sync as a call.
#include "plugins/container_engine/exec_stream.h"

#include <signal.h>

#include "plugins/container_engine/signal_name.h"

namespace lotse::container_engine {
namespace {

constexpr int64_t kStartTimeoutNs = 60'000'000'000;
constexpr size_t kSyncOutputMax = 16 << 10;

class ExecStream : public sdk::Producer, public ExecTaker {
 public:
  ExecStream(EngineCore& engine, ExecRequest request, MakeExec make)
      : Producer(engine.executor()), engine_(engine), request_(std::move(request)), make_(std::move(make)) {}

  // ExecTaker; on the reactor
  bool has_room() override { return held_.empty() && credit() > 0; }
  void output(uint32_t channel, std::string_view data) override {
    if (!held_.empty() || !send(channel, data)) held_.emplace_back(channel, data);
  }
  void input_taken(size_t bytes) override { consumed(bytes); }
  void ended(ExecEnd exit_code) override {
    end_.emplace(std::move(exit_code));
    if (held_.empty()) finish();
  }

 protected:
  void on_open() override {
    on_reactor([self = shared()] {
      self->process_ = self->make_(self->request_, std::weak_ptr<ExecTaker>(self));
      self->engine_.add(self, [self] { self->kill(); });
      self->process_->start(Reactor::now_ns() + kStartTimeoutNs);
    });
  }
  void on_credit() override {
    on_reactor([self = shared()] { self->room_again(); });
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
    on_reactor([self = shared()] { self->kill(); });
  }

 private:
  void room_again() {
    while (!held_.empty() && send(held_.front().first, held_.front().second)) held_.pop_front();
    if (!held_.empty()) return;
    end_ ? finish() : process_->room_again();
  }
  void kill() {
    held_.clear();
    end_ ? finish() : process_->kill();
  }
  void finish() {
    if (std::exchange(finished_, true)) return;
    if (end_->ok()) {
      end(**end_ ? Msg::map({{"exit_code", ***end_}}) : Msg::map());
    } else {
      fail(end_->failure().code, end_->failure().message);
    }
    engine_.remove(this);
  }

  std::shared_ptr<ExecStream> shared() { return std::static_pointer_cast<ExecStream>(shared_from_this()); }
  void on_reactor(std::function<void()> fn) { engine_.reactor.post(std::move(fn)); }

  EngineCore& engine_;
  const ExecRequest request_;
  const MakeExec make_;
  // The reactor's. What was read at once may be several outputs, of which the first takes all credit: the others are held, and so is
  // the end behind them.
  std::shared_ptr<ExecSession> process_;
  std::deque<std::pair<uint32_t, std::string>> held_;
  std::optional<ExecEnd> end_;
  bool finished_ = false;
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
  void ended(ExecEnd code) override {
    auto tell = std::move(on_end);
    tell(std::move(code));
  }

  std::string out, err;
  std::function<void(ExecEnd)> on_end;
};

Co<Msg> exec_sync_step(EngineCore& engine, Msg request, MakeExec make, int64_t deadline) {
  ExecRequest wanted = ExecRequest::parse(request);
  wanted.in = wanted.tty = false;
  wanted.out = wanted.err = true;
  int64_t timeout = get_int(request, "timeout_ns");
  if (timeout < 0) refuse("the key \"timeout_ns\" must not be negative");
  auto collector = std::make_shared<Collector>();
  auto process = make(wanted, std::weak_ptr<ExecTaker>(collector));
  auto late = std::make_shared<bool>(false);
  int64_t until = timeout > 0 ? std::min(deadline, Reactor::now_ns() + timeout) : deadline;
  uint64_t timer = engine.reactor.timer_at(until, [process, late] {
    *late = true;
    process->kill();
  });
  Callback<ExecEnd> exit([&](std::function<void(ExecEnd)> done) {
    collector->on_end = std::move(done);
    process->start(deadline);
  });
  ExecEnd code = co_await exit;
  engine.reactor.timer_stop(timer);
  if (*late) throw sdk::Failure(LOTSE_DEADLINE, "the command did not end in time and was killed");
  int status = std::move(code).take().value_or(0);
  co_return Msg::map(
      {{"exit_code", status}, {"stdout", Msg::bin(collector->out)}, {"stderr", Msg::bin(collector->err)}});
}

}  // namespace

ExecRequest ExecRequest::parse(const Msg& request, bool attach) {
  ExecRequest out;
  out.container = need_text(request, "id");
  out.command = get_texts(request, "command");
  if (out.command.empty() && !attach) refuse("the key \"command\" is missing");
  out.in = get_bool(request, "stdin");
  out.out = get_bool(request, "stdout");
  out.tty = get_bool(request, "tty");
  out.err = get_bool(request, "stderr") && !out.tty;  // a terminal has one output
  if (attach && !out.in && !out.out && !out.err) refuse("attach needs one of stdin, stdout, stderr");
  return out;
}

sdk::ProducerPtr open_exec(EngineCore& engine, ExecRequest request, MakeExec make) {
  return std::make_shared<ExecStream>(engine, std::move(request), std::move(make));
}

void serve_exec_sync(EngineCore& engine, const Msg& request, sdk::Call call, MakeExec make) {
  ExecRequest::parse(request);  // so that what is wrong with it is said before anything waits
  engine.serve(call, [&engine, request, make = std::move(make)](int64_t deadline) {
    return exec_sync_step(engine, request, make, deadline);
  });
}

}  // namespace lotse::container_engine
