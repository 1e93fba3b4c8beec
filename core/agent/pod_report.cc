// A pod's status on its way to the API: one patch at a time, always the newest, again until it is taken. While a new pod is being
// made, what it has come to is told after a moment only: most pods run by then, and need one patch instead of four.
#include "core/agent/pod_status.h"
#include "core/agent/pod_worker.h"
#include "core/base/log.h"

namespace lotse::agent {
namespace {
constexpr Duration kProgressDelay = std::chrono::milliseconds(500);
constexpr Duration kRetryFirst = std::chrono::seconds(1), kRetryMost = std::chrono::seconds(30);
}

// Something is under way for the first time: nothing has ended or failed yet.
bool PodWorker::coming_up() const {
  const auto& s = state_;
  if (s.stop || std::any_of(s.containers.begin(), s.containers.end(), [](const ContainerState& c) { return c.end || c.last || c.attempt > 0; })) return false;
  return s.volumes == PodState::Volumes::kPreparing || s.sandbox == PodState::Sandbox::kStarting || s.any_busy();
}

void PodWorker::report() {
  if (report_due_) return;
  report_due_ = true;
  c_.loop.post([weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self) return;
    self->report_due_ = false;
    if (self->coming_up()) return self->report_later();
    self->progress_.reset();
    self->send_report();
  });
}

void PodWorker::report_later() {
  if (progress_) return;
  progress_ = c_.loop.after(kProgressDelay, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self) return;
    const auto keep = std::move(self->progress_);
    self->send_report();
  });
}

void PodWorker::send_report() {
  if (reporting_ || state_.gone || !state_.spec) return;
  if (!state_.admitted && !state_.stop) return;
  const auto document = this->document();
  const json::Value& pod = *document;
  const StatusStyle style{c_.runtime_name, !c_.config.hollow};
  auto patch = status_patch(pod, make_status(state_, pod, c_.config.node_ips, c_.loop.clock().now(), style));
  if (patch.is_null()) {
    if (!coming_up()) document_.reset();  // at rest
    if (std::exchange(deleting_, false)) delete_object();
    return;
  }
  // What the server makes of our patch may differ from it for ever; saying it again would not help.
  auto text = json::write(patch);
  if (text == last_report_ && object_->revision() == last_revision_) {
    document_.reset();
    if (std::exchange(deleting_, false)) delete_object();
    return;
  }
  last_report_ = std::move(text);
  last_revision_ = 0;
  reporting_ = true;
  c_.client.patch({"", "v1", "pods"}, state_.spec->ns, state_.spec->name, api::Client::PatchType::kStrategic, patch,
                  [weak = weak_from_this()](Result<ObjectPtr> answer) {
                    if (auto self = weak.lock()) self->reported(std::move(answer));
                  }, "status");
}

void PodWorker::reported(Result<ObjectPtr> answer) {
  reporting_ = false;
  if (answer.ok()) {
    report_delay_ = Duration(0);
    if (*answer) last_revision_ = (*answer)->revision();
    if (*answer && (*answer)->revision() >= object_->revision() && (*answer)->header().uid == object_->header().uid)
      set_object(std::move(*answer));
    return report();
  }
  auto reason = answer.status().reason;
  if (reason == Reason::kNotFound || reason == Reason::kConflict) {  // it is no longer ours to report
    if (std::exchange(deleting_, false)) delete_object();
    return;
  }
  if (reason == Reason::kInvalid || reason == Reason::kForbidden || reason == Reason::kBadRequest) {
    log::error("agent.status_refused", answer.status().message,
               {{"pod", state_.spec->name}, {"namespace", state_.spec->ns}});
    if (std::exchange(deleting_, false)) return delete_object();
  }
  report_delay_ = report_delay_ == Duration(0) ? kRetryFirst : std::min(report_delay_ * 2, kRetryMost);
  later(report_delay_, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->report();
  });
}

}  // namespace lotse::agent
