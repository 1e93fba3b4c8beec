#include "core/agent/pod_worker.h"

#include "core/base/log.h"
#include "core/object/cursor.h"

namespace lotse::agent {

namespace {
// Canonical text: the status stands last.
bool same_but_status(const Object& a, const Object& b) {
  const auto before = [](const Object& o) {
    const std::string_view text = o.bytes().view(), status = find_raw(text, "status");
    return status.empty() ? text : text.substr(0, static_cast<size_t>(status.data() - text.data()));
  };
  return before(a) == before(b);
}
}  // namespace

PodWorker::PodWorker(PodContext& context, ObjectPtr object) : c_(context), object_(std::move(object)) {
  const auto& h = object_->header();
  dirs_ = pod_dirs(c_.config.data_dir, c_.config.pod_log_dir, h.ns, h.name, h.uid);
}

PodWorker::~PodWorker() { c_.references.follow(object_->header().uid, object_->header().ns, {}); }

Now PodWorker::now() const { return {c_.loop.clock().now(), c_.loop.clock().steady()}; }

Input PodWorker::about(Input::Kind kind, int container) const {
  Input in;
  in.kind = kind;
  in.container = container;
  return in;
}

void PodWorker::begin(const Found& found) {
  state_.network_ok = c_.network_ok;
  Input in = about(Input::Kind::kPod);
  in.spec = parse_pod(*document());
  Outcome out;
  absorb(state_, in, now(), &out);
  recover(state_, found, now(), &out);
  for (const auto& s : found.sandboxes) follow_sandbox(std::string(s["id"].as_text()));
  if (!c_.config.hollow) {
    refs_ = references_of(*document());
    c_.references.follow(state_.spec->uid, state_.spec->ns, refs_);
  }
  if (state_.volumes == PodState::Volumes::kReady) refresh_volumes();
  apply(std::move(out));
}

void PodWorker::admit() { feed(about(Input::Kind::kAdmitted)); }

void PodWorker::reject(std::string reason, std::string message) {
  Input in = about(Input::Kind::kReject);
  in.reason = std::move(reason);
  in.text = std::move(message);
  feed(std::move(in));
}

void PodWorker::update(ObjectPtr object) {
  // What is not newer is mostly our own report, come back.
  if (object->revision() != 0 && object->revision() <= object_->revision()) return;
  const bool same = same_but_status(*object_, *object);
  set_object(std::move(object));
  if (same) return report();
  claims_.reset();
  Input in = about(Input::Kind::kPod);
  in.spec = parse_pod(*document());
  if (!c_.config.hollow) {
    auto refs = references_of(*document());
    if (refs != refs_) c_.references.follow(in.spec->uid, in.spec->ns, refs_ = std::move(refs));
  }
  feed(std::move(in));
  if (state_.volumes == PodState::Volumes::kReady) refresh_volumes();
}

std::shared_ptr<const json::Value> PodWorker::document() const {
  if (!document_) document_ = std::make_shared<const json::Value>(object_->value());
  return document_;
}

const PodClaims& PodWorker::claims() const {
  if (!claims_) claims_ = claims_of(*document());
  return *claims_;
}

void PodWorker::set_object(ObjectPtr object) {
  object_ = std::move(object);
  document_.reset();
}

void PodWorker::gone() { feed(about(Input::Kind::kGone)); }

void PodWorker::evict(std::string reason, std::string message, int64_t grace_s) {
  Input in = about(Input::Kind::kEvict);
  in.reason = std::move(reason);
  in.text = std::move(message);
  in.number = grace_s;
  feed(std::move(in));
}

void PodWorker::network_changed() {
  Input in = about(Input::Kind::kNetwork);
  in.ok = c_.network_ok;
  feed(std::move(in));
}

void PodWorker::references_changed() {
  feed(about(Input::Kind::kVolumesChanged));
  if (state_.volumes == PodState::Volumes::kReady) refresh_volumes();
}

// Inputs that come while one is worked on wait for their turn: step is never entered twice.
void PodWorker::feed(Input input) {
  queue_.push_back(std::move(input));
  if (working_) return;
  auto self = shared_from_this();
  working_ = true;
  for (size_t i = 0; i < queue_.size(); ++i) {
    Input in = std::move(queue_[i]);
    apply(step(state_, in, now()));
  }
  queue_.clear();
  working_ = false;
  if (state_.finished()) c_.finished(state_.spec->uid);
}

void PodWorker::apply(Outcome outcome) {
  for (const auto& action : outcome.actions) act(action);
  arm(outcome.wake);
  if (!outcome.actions.empty() && c_.moved) c_.moved(state_.spec->uid);
  report();
}

void PodWorker::arm(std::optional<SteadyTime> wake) {
  if (!wake) {
    wake_.reset();
    wake_at_.reset();
    return;
  }
  if (wake_at_ && *wake_at_ == *wake) return;
  wake_at_ = wake;
  auto delay = std::max<Duration>(*wake - c_.loop.clock().steady(), Duration(0));
  wake_ = c_.loop.after(delay, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self) return;
    self->wake_at_.reset();
    self->feed(self->about(Input::Kind::kTick));
  });
}

void PodWorker::act(const Action& a) {
  using Kind = Action::Kind;
  switch (a.kind) {
    case Kind::kPrepareVolumes: return prepare_volumes();
    case Kind::kRunSandbox: return run_sandbox(static_cast<int>(a.number));
    case Kind::kStopSandbox: return stop_sandbox(a.id, Duration(0));
    case Kind::kEnsureImage: return ensure_image(a.container);
    case Kind::kStart: return start_container(a.container, static_cast<int>(a.number));
    case Kind::kKill: return kill(a.container, a.number);
    case Kind::kRemoveContainer:
      return call(Call::kContainerRemove, MsgValue::map({{"id", a.id}}), std::chrono::seconds(30),
                  [](Result<MsgValue>) {});
    case Kind::kStartProbes: return start_probes(a.container);
    case Kind::kStopProbes: probers_.erase(a.container); return;
    case Kind::kEvent: return emit(a);
    case Kind::kCleanUp: return clean_up(Duration(0));
    case Kind::kDeleteObject: deleting_ = true; return;  // after the last status has been taken: see pod_report.cc
    case Kind::kRemoveAll: return remove_all(Duration(0));
  }
}

void PodWorker::call(Call what, MsgValue request, Duration timeout, std::function<void(Result<MsgValue>)> answer) {
  call_on(c_.loop, c_.runtime, what, std::move(request), timeout,
          [weak = weak_from_this(), answer = std::move(answer)](Result<MsgValue> result) {
            if (auto self = weak.lock()) answer(std::move(result));
          });
}

void PodWorker::later(Duration delay, std::function<void()> fn) {
  auto number = timer_next_++;
  timers_[number] = c_.loop.after(delay, [weak = weak_from_this(), number, fn = std::move(fn)] {
    auto self = weak.lock();
    if (!self) return;
    auto keep = std::move(self->timers_[number]);
    self->timers_.erase(number);
    fn();
  });
}

void PodWorker::on_disk(std::function<Status()> work, std::function<void(Status)> then) {
  auto status = std::make_shared<Status>();
  on_pool(c_, [status, work = std::move(work)] { *status = work(); },
          [weak = weak_from_this(), status, then = std::move(then)] {
            if (auto self = weak.lock()) then(*status);
          });
}

PodFacts PodWorker::facts() const {
  PodFacts f;
  f.host_ips = c_.config.node_ips;
  f.pod_ips = state_.spec->host_network ? c_.config.node_ips : state_.ips;
  f.allocatable = c_.allocatable;
  return f;
}

Result<std::string> PodWorker::container_id(std::string_view name, bool running) const {
  int i = name.empty() ? -1 : state_.spec->find(name);
  if (name.empty()) {
    for (size_t n = 0; n < state_.containers.size() && i < 0; ++n) {
      if (state_.spec->containers[n].role == Role::kMain) i = static_cast<int>(n);
    }
  }
  if (i < 0)
    return Status(Reason::kBadRequest, "container " + std::string(name) + " is not valid for pod " + state_.spec->name);
  const auto& c = state_.containers[static_cast<size_t>(i)];
  if (c.id.empty() || (running && !c.running() && c.phase != ContainerState::Phase::kStarting)) {
    return Status(Reason::kBadRequest,
                  "container " + state_.spec->containers[static_cast<size_t>(i)].name + " is not running");
  }
  return c.id;
}

}  // namespace lotse::agent
