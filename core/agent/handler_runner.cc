#include "core/agent/handler_runner.h"

#include <fmt/format.h>

namespace lotse::agent {
namespace {

constexpr size_t kMessageMax = 1024;

// One run: whatever ends first (the answer, the deadline) is told once, by post.
struct Run : std::enable_shared_from_this<Run> {
  Loop& loop;
  HandlerRunner::Done done;
  Handle deadline;
  std::unique_ptr<Handle::Impl> work;

  Run(Loop& l, HandlerRunner::Done d) : loop(l), done(std::move(d)) {}
  void end(HandlerResult result) {
    if (!done) return;
    if (result.message.size() > kMessageMax) result.message.resize(kMessageMax);
    loop.post([self = shared_from_this(), callback = std::exchange(done, nullptr), result = std::move(result)] {
      self->work.reset();
      self->deadline.reset();
      if (!self->given_up) callback(result);
    });
  }
  bool given_up = false;
};

struct Grip : Handle::Impl {
  std::shared_ptr<Run> run;
  explicit Grip(std::shared_ptr<Run> r) : run(std::move(r)) {}
  ~Grip() override {
    run->given_up = true;
    run->done = nullptr;
    run->work.reset();
    run->deadline.reset();
  }
};

// What is said of a handler that did not answer in time.
std::string late(const Handler& handler, const HandlerTarget& target, Duration timeout) {
  auto host = handler.host.empty() ? target.ip : handler.host;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  auto where = host + ":" + std::to_string(target.port);
  switch (handler.kind) {
    case Handler::Kind::kHttp:
      return fmt::format(
          "Get \"{}://{}{}{}\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
          handler.scheme == "HTTPS" ? "https" : "http", where, handler.path.starts_with('/') ? "" : "/", handler.path);
    case Handler::Kind::kTcp: return "dial tcp " + where + ": i/o timeout";
    case Handler::Kind::kGrpc:
      return fmt::format("timeout: health rpc did not complete within {}s",
                         std::chrono::duration_cast<std::chrono::seconds>(timeout).count());
    default:
      return fmt::format("command timed out after {}s",
                         std::chrono::duration_cast<std::chrono::seconds>(timeout).count());
  }
}

class Runner : public HandlerRunner {
 public:
  Runner(Runtime& runtime, Loop& loop) : runtime_(runtime), loop_(loop) {}

  Handle run(const Handler& handler, const HandlerTarget& target, Duration timeout, Done done) override {
    auto run = std::make_shared<Run>(loop_, std::move(done));
    auto weak = std::weak_ptr<Run>(run);
    auto end = [weak](HandlerResult result) {
      if (auto r = weak.lock()) r->end(std::move(result));
    };
    if (handler.kind != Handler::Kind::kSleep) {
      run->deadline = loop_.after(
          timeout + (handler.kind == Handler::Kind::kExec ? std::chrono::seconds(1) : std::chrono::seconds(0)),
          [end, text = late(handler, target, timeout)] {
            end({false, text});
          });
    }
    start(*run, handler, target, timeout, end);
    return Handle(std::make_unique<Grip>(std::move(run)));
  }

 private:
  void start(Run& run, const Handler& handler, const HandlerTarget& target, Duration timeout, const Done& end) {
    bool network = handler.kind == Handler::Kind::kHttp || handler.kind == Handler::Kind::kTcp ||
                   handler.kind == Handler::Kind::kGrpc;
    if (network && target.port == 0) return end({false, "invalid port: " + handler.port});
    switch (handler.kind) {
      case Handler::Kind::kExec: return exec(handler, target, timeout, end);
      case Handler::Kind::kHttp: run.work = run_http(loop_, handler, target, end); return;
      case Handler::Kind::kTcp: run.work = run_tcp(loop_, handler, target, end); return;
      case Handler::Kind::kGrpc: run.work = run_grpc(loop_, handler, target, end); return;
      case Handler::Kind::kSleep:
        run.deadline = loop_.after(std::min<Duration>(std::chrono::seconds(handler.sleep_s), timeout), [end] {
          end({true, ""});
        });
        return;
      case Handler::Kind::kNone: return end({false, "missing probe handler"});
    }
  }

  void exec(const Handler& handler, const HandlerTarget& target, Duration timeout, const Done& end) {
    auto request = MsgValue::map({{"id", target.container_id},
                                  {"command", MsgValue::strings(handler.command)},
                                  {"timeout_ns", timeout.count()}});
    call_on(loop_, runtime_, Call::kExecSync, std::move(request), timeout + std::chrono::seconds(1),
            [end, text = late(handler, target, timeout)](Result<MsgValue> answer) {
              if (!answer.ok()) {
                bool late = answer.status().reason == Reason::kTimeout;
                return end({false, late ? text : answer.status().message});
              }
              std::string text =
                  std::string((*answer)["stdout"].as_text()) + std::string((*answer)["stderr"].as_text());
              end({(*answer)["exit_code"].as_int() == 0, std::move(text)});
            });
  }

  Runtime& runtime_;
  Loop& loop_;
};

}  // namespace

std::unique_ptr<HandlerRunner> HandlerRunner::make(Runtime& runtime, Loop& loop) {
  return std::make_unique<Runner>(runtime, loop);
}

}  // namespace lotse::agent
