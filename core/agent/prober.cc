#include "core/agent/prober.h"

namespace lotse::agent {

struct Prober::State : std::enable_shared_from_this<State> {
  Loop& loop;
  HandlerRunner& runner;
  PodSpecPtr spec;
  const ContainerSpec& container;
  HandlerTarget target;
  Callbacks callbacks;
  SteadyTime born;  // when the container started
  struct Line {
    ProbeKind kind;
    const Probe* probe;
    bool told, last;  // the result that was told; the last single one
    int run = 0;      // how many of `last` in a row
    Handle timer, work;
  };
  std::vector<std::unique_ptr<Line>> lines;
  bool started_ok, stopping = false, closed = false;

  State(Loop& l, HandlerRunner& r, PodSpecPtr s, int index, std::string id, std::string ip, bool started, Duration age,
        Callbacks c)
      : loop(l),
        runner(r),
        spec(std::move(s)),
        container(spec->containers[static_cast<size_t>(index)]),
        target{std::move(id), std::move(ip), 0},
        callbacks(std::move(c)),
        born(l.clock().steady() - age),
        started_ok(started) {}

  void add(ProbeKind kind, const Probe* probe, bool told) {
    if (probe) lines.push_back(std::make_unique<Line>(Line{kind, probe, told, told, 0, {}, {}}));
  }

  bool may_run(const Line& line) const {
    if (line.kind == ProbeKind::kStartup) return !started_ok && !stopping;
    if (!started_ok) return false;
    return line.kind == ProbeKind::kReadiness || !stopping;
  }

  void begin() {
    for (auto& line : lines) {
      if (!may_run(*line) || line->timer || line->work) continue;
      auto wait = born + std::chrono::seconds(line->probe->delay_s) - loop.clock().steady();
      arm(*line, std::max<Duration>(wait, Duration(0)));
    }
  }

  void arm(Line& line, Duration wait) {
    line.timer = loop.after(wait, [weak = weak_from_this(), l = &line] {
      auto self = weak.lock();
      if (self && !self->closed) self->ask(*l);
    });
  }

  void ask(Line& line) {
    line.timer.reset();
    if (!may_run(line)) return;
    target.port = resolve_port(container, line.probe->handler.port);
    line.work = runner.run(line.probe->handler, target, std::chrono::seconds(line.probe->timeout_s),
                           [weak = weak_from_this(), l = &line](HandlerResult result) {
                             auto self = weak.lock();
                             if (self && !self->closed) self->take(*l, std::move(result));
                           });
  }

  void take(Line& line, HandlerResult result) {
    line.work.reset();
    if (!may_run(line)) return;
    if (!result.ok && callbacks.failed) callbacks.failed(line.kind, result.message);
    if (closed) return;
    line.run = line.last == result.ok ? line.run + 1 : 1;
    line.last = result.ok;
    arm(line, std::chrono::seconds(line.probe->period_s));
    if (line.run < (result.ok ? line.probe->success : line.probe->failure)) return;
    if (line.kind != ProbeKind::kReadiness && !result.ok)
      line.run = 0;  // the container gets another chance, and so do we
    if (line.told == result.ok && (line.kind == ProbeKind::kReadiness || result.ok)) return;
    line.told = result.ok;
    if (line.kind == ProbeKind::kStartup && result.ok) {
      started_ok = true;
      line.timer.reset();
      begin();
    }
    callbacks.result(line.kind, result.ok, result.message);
  }
};

Prober::Prober(Loop& loop, HandlerRunner& runner, PodSpecPtr spec, int container, std::string container_id,
               std::string ip, bool started_ok, bool ready, Duration age, Callbacks callbacks)
    : state_(std::make_shared<State>(loop, runner, std::move(spec), container, std::move(container_id), std::move(ip),
                                     started_ok, age, std::move(callbacks))) {
  const auto& c = state_->container;
  state_->add(ProbeKind::kStartup, c.startup.get(), false);
  state_->add(ProbeKind::kReadiness, c.readiness.get(), ready);
  state_->add(ProbeKind::kLiveness, c.liveness.get(), true);
  state_->begin();
}

Prober::~Prober() {
  state_->closed = true;
  state_->lines.clear();
}

void Prober::stopping() { state_->stopping = true; }

}  // namespace lotse::agent
