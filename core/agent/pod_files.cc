// A pod's volumes: made before its containers, kept up to date while it runs.
#include "core/agent/pod_worker.h"
#include "core/agent/volumes.h"
#include "core/base/log.h"

namespace lotse::agent {

void PodWorker::prepare_volumes() {
  if (c_.config.hollow) return feed(about(Input::Kind::kVolumesReady));
  const json::Value pod = object_->value();
  if (auto keys = tokens_of(pod); !tokens_ && !keys.empty()) {
    PodTokens::Pod who{state_.spec->ns, state_.spec->name, state_.spec->uid,
                       std::string(pod["spec"]["serviceAccountName"].str("default"))};
    tokens_ = std::make_unique<PodTokens>(
        c_.client, c_.loop, std::move(who), std::move(keys),
        [weak = weak_from_this()] {
          if (auto self = weak.lock()) self->references_changed();
        },
        [weak = weak_from_this()](std::string why) {
          if (auto self = weak.lock())
            self->emit(
                Action{Action::Kind::kEvent, -1, true, 0, {}, "FailedMount", "MountVolume.SetUp failed: " + why});
        });
  }
  static const Tokens none;
  auto plans = plan_volumes(
      {pod, dirs_, c_.references.get(state_.spec->ns, refs_), tokens_ ? tokens_->tokens() : none, facts()});
  if (!plans.ok()) {
    Input in = about(Input::Kind::kVolumesFailed);
    in.ok = plans.status().reason == Reason::kServiceUnavailable;
    in.text = "MountVolume.SetUp failed: " + plans.status().message;
    return feed(std::move(in));
  }
  auto made = std::make_shared<std::map<std::string, std::string>>();
  on_disk(
      [plans = std::move(*plans), dirs = dirs_, made]() -> Status {
        LOTSE_TRY(*made, set_up_volumes(plans, dirs));
        return {};
      },
      [this, made](Status status) {
        Input in = about(status.ok() ? Input::Kind::kVolumesReady : Input::Kind::kVolumesFailed);
        in.text = status.message;
        if (status.ok()) volumes_ = std::move(*made);
        feed(std::move(in));
      });
}

// What cannot be read any more stays as it was: a ConfigMap that was deleted does not take the files away.
void PodWorker::refresh_volumes() {
  if (c_.config.hollow || state_.stop) return;
  const json::Value pod = object_->value();
  if (volumes_.empty()) volumes_ = volume_paths(pod, dirs_);
  if (!tokens_ && !tokens_of(pod).empty()) {
    // Found again after a restart of ours: the files are there, and get new tokens as these come.
    PodTokens::Pod who{state_.spec->ns, state_.spec->name, state_.spec->uid,
                       std::string(pod["spec"]["serviceAccountName"].str("default"))};
    tokens_ = std::make_unique<PodTokens>(
        c_.client, c_.loop, std::move(who), tokens_of(pod),
        [weak = weak_from_this()] {
          if (auto self = weak.lock()) self->references_changed();
        },
        [](std::string) {});
  }
  if (refreshing_) {
    refresh_again_ = true;
    return;
  }
  static const Tokens none;
  auto plans = plan_volumes(
      {pod, dirs_, c_.references.get(state_.spec->ns, refs_), tokens_ ? tokens_->tokens() : none, facts()});
  if (!plans.ok()) return;
  std::erase_if(*plans, [](const VolumePlan& p) { return p.kind != VolumePlan::Kind::kFiles; });
  if (plans->empty()) return;
  refreshing_ = true;
  on_disk(
      [plans = std::move(*plans), dirs = dirs_]() -> Status {
        auto made = set_up_volumes(plans, dirs);
        return made.ok() ? Status() : made.status();
      },
      [this](Status status) {
        refreshing_ = false;
        if (!status.ok()) log::warn("agent.volume_update", status.message, {{"pod", state_.spec->name}});
        if (std::exchange(refresh_again_, false)) refresh_volumes();
      });
}

}  // namespace lotse::agent
