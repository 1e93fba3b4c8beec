// A pod's containers: images, creation, start, hooks, stopping, and looking at how they are.
#include <sys/stat.h>

#include <fcntl.h>
#include <unistd.h>

#include "core/agent/container_config.h"
#include "core/agent/image_credentials.h"
#include "core/agent/log_files.h"
#include "core/agent/pod_worker.h"
#include "core/agent/safe_path.h"
#include "core/agent/volumes.h"
#include "core/base/file.h"
#include "core/base/log.h"

namespace lotse::agent {
namespace {

constexpr Duration kShort = std::chrono::seconds(30), kCreate = std::chrono::minutes(2),
                   kHookMost = std::chrono::hours(1);
constexpr int64_t kStopLeastS = 2;  // what SIGTERM gets after a preStop hook that used up the grace

}  // namespace

void PodWorker::ensure_image(int container) {
  const auto& spec = state_.spec->containers[static_cast<size_t>(container)];
  Images::Wanted wanted{spec.image, state_.spec->ns, state_.spec->name, spec.pull, {}};
  std::vector<ObjectPtr> secrets;
  for (auto& [key, object] : c_.references.get(state_.spec->ns, refs_)) {
    const auto& names = state_.spec->pull_secrets;
    if (key.kind == RefKind::kSecret && object && std::find(names.begin(), names.end(), key.name) != names.end())
      secrets.push_back(object);
  }
  wanted.credentials = image_credentials(spec.image, secrets);
  auto weak = weak_from_this();
  c_.images.ensure(
      std::move(wanted),
      [weak, container](bool warning, std::string reason, std::string message) {
        auto self = weak.lock();
        if (!self || self->c_.config.hollow) return;
        self->c_.events.record(self->subject(container), warning, std::move(reason), std::move(message));
      },
      [weak, container, name = spec.name](std::optional<ImageInfo> info, Images::Failure failure) {
        auto self = weak.lock();
        if (!self) return;
        Input in = self->about(info ? Input::Kind::kImageReady : Input::Kind::kImageFailed, container);
        in.reason = std::move(failure.reason);
        in.text = std::move(failure.message);
        if (info) {
          in.id = info->id;
          self->image_info_[name] = std::move(*info);
        }
        self->feed(std::move(in));
      });
}

void PodWorker::start_failed(int container, std::string reason, std::string message) {
  Input in = about(Input::Kind::kStartFailed, container);
  in.reason = std::move(reason);
  in.text = std::move(message);
  feed(std::move(in));
}

void PodWorker::start_container(int container, int attempt) {
  const auto document = this->document();
  const json::Value& pod = *document;
  const auto& spec = state_.spec->containers[static_cast<size_t>(container)];
  const auto& doc = find_container(pod, spec.name);
  if (!c_.services && !c_.config.hollow)
    return start_failed(container, "CreateContainerConfigError",
                        "services have not yet been read at least once, cannot construct envvars");
  static const std::vector<ServiceLink> none;
  auto env =
      make_environment(pod, doc, c_.references.get(state_.spec->ns, refs_), c_.services ? *c_.services : none, facts());
  if (c_.config.hollow) env = Environment();
  if (!env.ok()) return start_failed(container, "CreateContainerConfigError", env.status().message);
  auto mounts = c_.config.hollow ? Result<std::vector<MountPlan>>(std::vector<MountPlan>())
                                 : plan_mounts(pod, doc, volumes_, *env);
  if (!mounts.ok()) return start_failed(container, "CreateContainerConfigError", mounts.status().message);
  auto plans = std::make_shared<std::vector<MountPlan>>(std::move(*mounts));
  auto create = [this, container, attempt, plans, env = *env](Status status) {
    if (!status.ok())
      return start_failed(container, "CreateContainerConfigError",
                          "failed to prepare subPath for volumeMount: " + status.message);
    const auto now = this->document();
    const json::Value& now_pod = *now;
    const auto& name = state_.spec->containers[static_cast<size_t>(container)].name;
    ContainerInput in{now_pod, find_container(now_pod, name), *state_.spec, c_.config, dirs_, env, *plans,
                      image_info_[name], state_.sandbox_id, cgroup_parent(), attempt, c_.node_memory, c_.cgroup_files};
    auto request = container_request(in);
    if (!request.ok()) return start_failed(container, "CreateContainerConfigError", request.status().message);
    create_container(container, attempt, std::move(*request));
  };
  if (c_.config.hollow) return create(Status());
  std::optional<gid_t> group;
  if (const auto& g = pod["spec"]["securityContext"]["fsGroup"]; g.is_integer())
    group = static_cast<gid_t>(g.integer());
  on_disk(
      [dirs = dirs_, plans, name = spec.name, attempt, group]() -> Status {
        for (size_t i = 0; i < plans->size(); ++i) {
          auto& m = (*plans)[i];
          if (m.sub_path.empty()) continue;
          LOTSE_TRY(m.source, bind_sub_path(dirs, m.volume, m.source, m.sub_path, name, i, group));
        }
        return prepare_container_files(dirs, name, attempt);
      },
      create);
}

void PodWorker::create_container(int container, int attempt, MsgValue request) {
  call(Call::kContainerCreate, std::move(request), kCreate, [this, container, attempt](Result<MsgValue> answer) {
    if (!answer.ok()) return start_failed(container, "CreateContainerError", answer.status().message);
    std::string id((*answer)["id"].as_text());
    Input in = about(Input::Kind::kObserved, container);
    in.seen.phase = Observation::Phase::kCreated;
    in.seen.id = id;
    in.seen.attempt = attempt;
    const auto& name = state_.spec->containers[static_cast<size_t>(container)].name;
    feed(std::move(in));
    if (!c_.config.hollow) link_container_log(c_, dirs_, *state_.spec, name, attempt, id);
    call(Call::kContainerStart, MsgValue::map({{"id", id}}), kCreate,
         [this, container, id](Result<MsgValue> start) { started(container, id, std::move(start)); });
  });
}

// A start that failed is told from the container's own state where the runtime has one: it has then ended.
void PodWorker::started(int container, std::string id, Result<MsgValue> answer) {
  look_at(id, [this, container, ok = answer.ok(), status = answer.ok() ? Status() : answer.status()] {
    auto& c = state_.containers[static_cast<size_t>(container)];
    if (c.phase != ContainerState::Phase::kStarting) return;
    if (ok && c.reason == "PostStart") return post_start(container);
    if (ok) return;
    Input in = about(Input::Kind::kObserved, container);
    in.seen.phase = Observation::Phase::kExited;
    in.seen.id = c.id;
    in.seen.attempt = c.attempt;
    in.seen.exit_code = 128;
    in.seen.reason = "StartError";
    in.seen.message = status.message;
    emit(Action{Action::Kind::kEvent, container, true, 0, {}, "Failed", "Error: " + status.message});
    feed(std::move(in));
  });
}

void PodWorker::look_at(std::string id, std::function<void()> then) {
  call(Call::kContainerStatus, MsgValue::map({{"id", id}}), kShort, [this, id, then](Result<MsgValue> answer) {
    if (answer.ok()) return observed(*answer, then);
    if (answer.status().reason == Reason::kNotFound) {
      for (size_t i = 0; i < state_.containers.size(); ++i) {
        if (state_.containers[i].id == id) feed(about(Input::Kind::kVanished, static_cast<int>(i)));
      }
    }
    if (then) then();
  });
}

// The termination message is read before the end is told, so that the status has it at once.
void PodWorker::observed(const MsgValue& status, std::function<void()> then) {
  auto seen = observation(status);
  int i = state_.spec->find(seen.name);
  if (i < 0) return;
  Input in = about(Input::Kind::kObserved, i);
  bool news = seen.phase == Observation::Phase::kExited &&
              state_.containers[static_cast<size_t>(i)].phase != ContainerState::Phase::kExited;
  in.seen = seen;
  if (c_.config.hollow || !news) {
    feed(std::move(in));
    if (then) then();
    return;
  }
  const auto& spec = state_.spec->containers[static_cast<size_t>(i)];
  auto message = std::make_shared<std::string>();
  on_disk(
      [message, dirs = dirs_, name = spec.name, attempt = seen.attempt,
       logs = spec.fallback_to_logs && seen.exit_code != 0] {
        *message = termination_message(dirs, name, attempt, logs);
        return Status();
      },
      [this, in, message, then](Status) mutable {
        if (!message->empty()) in.seen.message = *message;
        feed(std::move(in));
        if (then) then();
      });
}

void PodWorker::post_start(int container) {
  const auto& spec = state_.spec->containers[static_cast<size_t>(container)];
  auto told = [weak = weak_from_this(), container](HandlerResult result) {
    auto self = weak.lock();
    if (!self) return;
    self->hooks_.erase(container);
    Input in = self->about(Input::Kind::kHookDone, container);
    in.ok = result.ok;
    in.text = "PostStartHook failed: " + result.message;
    self->feed(std::move(in));
  };
  if (c_.config.hollow) return told({true, ""});
  auto f = facts();
  HandlerTarget target{state_.containers[static_cast<size_t>(container)].id, f.pod_ips.empty() ? "" : f.pod_ips.front(),
                       resolve_port(spec, spec.post_start->port)};
  hooks_[container] = c_.handlers.run(*spec.post_start, target, kHookMost, told);
}

// preStop runs within the grace; what it leaves is for SIGTERM. A second kill with less grace replaces the first.
void PodWorker::kill(int container, int64_t grace_s) {
  const auto& spec = state_.spec->containers[static_cast<size_t>(container)];
  std::string id = state_.containers[static_cast<size_t>(container)].id;
  hooks_.erase(container);
  if (auto p = probers_.find(container); p != probers_.end()) p->second->stopping();
  auto& killing = kills_[container];
  auto round = ++killing.round;
  bool again = round > 1;
  Duration grace = std::chrono::seconds(grace_s);
  if (!spec.pre_stop || again || grace_s <= 0 || c_.config.hollow) {
    killing.hook.reset();
    return stop_container(container, std::move(id), grace, round);
  }
  auto f = facts();
  HandlerTarget target{id, f.pod_ips.empty() ? "" : f.pod_ips.front(), resolve_port(spec, spec.pre_stop->port)};
  auto begun = c_.loop.clock().steady();
  killing.hook = c_.handlers.run(*spec.pre_stop, target, grace,
                                 [weak = weak_from_this(), container, id, grace, begun, round](HandlerResult result) {
                                   auto self = weak.lock();
                                   if (!self || self->kills_[container].round != round) return;
                                   if (!result.ok)
                                     self->emit(Action{Action::Kind::kEvent,
                                                       container,
                                                       true,
                                                       0,
                                                       {},
                                                       "FailedPreStopHook",
                                                       "PreStopHook failed: " + result.message});
                                   auto left = std::max<Duration>(grace - (self->c_.loop.clock().steady() - begun),
                                                                  std::chrono::seconds(kStopLeastS));
                                   self->stop_container(container, id, left, round);
                                 });
}

void PodWorker::stop_container(int container, std::string id, Duration grace, uint64_t round) {
  call(Call::kContainerStop, MsgValue::map({{"id", id}, {"timeout_ns", grace.count()}}), grace + kCreate,
       [this, container, id, round](Result<MsgValue> answer) {
         auto it = kills_.find(container);
         if (it == kills_.end() || it->second.round != round) return;
         if (!answer.ok() && answer.status().reason != Reason::kNotFound) {
           log::warn("agent.container_stop", answer.status().message, {{"pod", state_.spec->name}, {"container", id}});
           return later(std::chrono::seconds(1), [this, container, id, round] {
             stop_container(container, id, std::chrono::seconds(1), round);
           });
         }
         kills_.erase(it);
         look_at(id);
       });
}

}  // namespace lotse::agent
