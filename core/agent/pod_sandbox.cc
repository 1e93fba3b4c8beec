// A pod's sandbox: run, watched, stopped, removed; and what is cleaned up after it.
#include <sys/stat.h>
#include <unistd.h>

#include "core/agent/pod_worker.h"
#include "core/agent/resources.h"
#include "core/agent/safe_path.h"
#include "core/agent/volumes.h"
#include "core/base/file.h"
#include "core/base/log.h"

namespace lotse::agent {
namespace {

constexpr Duration kRunTimeout = std::chrono::minutes(4), kShort = std::chrono::seconds(30);
constexpr Duration kRetry = std::chrono::seconds(1);

}  // namespace

std::string PodWorker::cgroup_parent() const {
  return c_.cgroups ? c_.cgroups->path_of(state_.spec->qos, state_.spec->uid) : std::string();
}

// The cgroup and the log directory first: the runtime puts things into both.
void PodWorker::run_sandbox(int attempt) {
  auto run = [this, attempt](Status status) {
    if (!status.ok()) return sandbox_made(attempt, status);
    Dns host;
    if (auto text = c_.config.hollow ? Result<std::string>(std::string()) : read_file(c_.config.resolv_conf, 64 * 1024);
        text.ok()) {
      host = parse_resolv_conf(*text);
    }
    const auto document = this->document();
    const json::Value& pod = *document;
    auto request =
        sandbox_request(pod, *state_.spec, c_.config, dirs_, pod_dns(pod, c_.config, host), cgroup_parent(), attempt);
    call(Call::kSandboxRun, std::move(request), kRunTimeout,
         [this, attempt](Result<MsgValue> answer) { sandbox_made(attempt, std::move(answer)); });
  };
  if (c_.config.hollow) return run(Status());
  auto amounts = pod_amounts(*document());
  on_disk(
      [cgroups = c_.cgroups, qos = state_.spec->qos, uid = state_.spec->uid, amounts, logs = dirs_.logs]() -> Status {
        LOTSE_CHECK_OK(make_dirs(logs, 0755));
        return cgroups ? cgroups->make_pod(qos, uid, amounts) : Status();
      },
      run);
}

void PodWorker::sandbox_made(int attempt, Result<MsgValue> answer) {
  Input in = about(Input::Kind::kSandboxFailed);
  if (!answer.ok()) {
    in.text = answer.status().message;
    return feed(std::move(in));
  }
  in.kind = Input::Kind::kSandboxReady;
  in.id = std::string((*answer)["id"].as_text());
  in.ips = (*answer)["ips"].as_strings();
  in.number = attempt;
  follow_sandbox(in.id);
  if (c_.config.hollow) return feed(std::move(in));
  const auto document = this->document();
  const json::Value& pod = *document;
  auto node_hosts = state_.spec->host_network ? read_file("/etc/hosts", 1 << 20) : Result<std::string>(std::string());
  auto text = hosts_file(pod, in.ips, c_.config, node_hosts.ok() ? *node_hosts : std::string());
  on_disk([path = dirs_.hosts(), root = dirs_.root, text]() -> Status {
    LOTSE_CHECK_OK(make_dirs(root, 0755));
    LOTSE_CHECK_OK(write_file_atomically(path, text, 0644));
    return {};
  }, [this, in](Status status) mutable {
    if (!status.ok()) log::warn("agent.hosts_file", status.message, {{"pod", state_.spec->name}});
    feed(std::move(in));
  });
}

void PodWorker::follow_sandbox(const std::string& id) {
  followed_[id] = c_.runtime_events.follow_sandbox(id, [weak = weak_from_this()](const RuntimeEvent& event) {
    if (auto self = weak.lock()) self->on_runtime_event(event);
  });
}

void PodWorker::on_runtime_event(const RuntimeEvent& event) {
  if (!event.sandbox) {
    if (event.what == "exited" || event.what == "oom") look_at(event.id);
    return;
  }
  if (event.id == state_.sandbox_id && (event.what == "exited" || event.what == "removed")) check_sandbox(event.id);
}

void PodWorker::check_sandbox(const std::string& id) {
  call(Call::kSandboxStatus, MsgValue::map({{"id", id}}), kShort, [this, id](Result<MsgValue> answer) {
    bool missing = !answer.ok() && answer.status().reason == Reason::kNotFound;
    if (!answer.ok() && !missing) return;
    if (!missing && (*answer)["state"].as_text() == "ready") return;
    Input in = about(Input::Kind::kSandboxLost);
    in.id = id;
    feed(std::move(in));
  });
}

void PodWorker::look_again() {
  if (state_.sandbox != PodState::Sandbox::kReady) return;
  check_sandbox(state_.sandbox_id);
  for (const auto& c : state_.containers) {
    if (c.running() && !c.id.empty()) look_at(c.id);
  }
}

// Once it has stopped, how its containers ended is looked at before the step is told.
void PodWorker::stop_sandbox(std::string id, Duration delay) {
  if (delay != Duration(0)) return later(delay, [this, id] { stop_sandbox(id, Duration(0)); });
  auto request = MsgValue::map({{"id", id}});
  if (!c_.config.cni_dir.empty()) request.set("cni", c_.config.cni_dir);
  call(Call::kSandboxStop, std::move(request), kRunTimeout, [this, id](Result<MsgValue> answer) {
    if (!answer.ok() && answer.status().reason != Reason::kNotFound) {
      log::warn("agent.sandbox_stop", answer.status().message, {{"pod", state_.spec->name}, {"sandbox", id}});
      return stop_sandbox(id, kRetry);
    }
    call(Call::kContainerList, MsgValue::map({{"sandbox", id}}), kShort, [this](Result<MsgValue> list) {
      if (list.ok()) {
        for (const auto& c : (*list)["items"].items()) {
          if (c["state"].as_text() == "exited") observed(c, nullptr);
        }
      }
      feed(about(Input::Kind::kSandboxStopped));
    });
  });
}

void PodWorker::clean_up(Duration delay) {
  if (delay != Duration(0)) return later(delay, [this] { clean_up(Duration(0)); });
  tokens_.reset();
  probers_.clear();
  c_.references.follow(state_.spec->uid, state_.spec->ns, {});
  refs_.clear();
  if (c_.config.hollow) return feed(about(Input::Kind::kCleaned));
  on_disk(
      [dirs = dirs_, cgroups = c_.cgroups, qos = state_.spec->qos, uid = state_.spec->uid]() -> Status {
        auto files = tear_down(dirs);
        auto groups = cgroups ? cgroups->remove_pod(qos, uid) : Status();
        return files.ok() ? groups : files;
      },
      [this](Status status) {
        if (!status.ok()) {
          log::warn("agent.clean_up", status.message, {{"pod", state_.spec->name}});
          return clean_up(kRetry);
        }
        feed(about(Input::Kind::kCleaned));
      });
}

namespace {

// Takes sandboxes and all that is in them out of the runtime, one call after the other.
struct Removal : std::enable_shared_from_this<Removal> {
  using Ask = std::function<void(Call, MsgValue, std::function<void(Result<MsgValue>)>)>;
  Ask ask;
  std::function<void(bool ok)> done;
  std::vector<std::pair<Call, std::string>> steps;
  bool ok = true;
  Removal(Ask a, std::function<void(bool)> d) : ask(std::move(a)), done(std::move(d)) {}
  void next() {
    if (steps.empty()) return done(ok);
    auto [what, id] = steps.front();
    steps.erase(steps.begin());
    ask(what, MsgValue::map({{"id", id}}), [self = shared_from_this()](Result<MsgValue> answer) {
      if (!answer.ok() && answer.status().reason != Reason::kNotFound) self->ok = false;
      self->next();
    });
  }
};

}  // namespace

void PodWorker::remove_all(Duration delay) {
  if (delay != Duration(0)) return later(delay, [this] { remove_all(Duration(0)); });
  call(Call::kSandboxList, MsgValue::map({{"uid", state_.spec->uid}}), kShort, [this](Result<MsgValue> sandboxes) {
    if (!sandboxes.ok()) return remove_all(kRetry);
    auto removal = std::make_shared<Removal>(
        [this](Call what, MsgValue request, std::function<void(Result<MsgValue>)> answer) {
          call(what, std::move(request), kShort, std::move(answer));
        },
        [this](bool ok) {
          if (!ok) return remove_all(kRetry);
          if (c_.config.hollow) return feed(about(Input::Kind::kRemoved));
          on_disk([logs = dirs_.logs] { return remove_tree(logs); },
                  [this](Status) { feed(about(Input::Kind::kRemoved)); });
        });
    for (const auto& c : state_.containers) {
      if (c.last && !c.last->id.empty()) removal->steps.emplace_back(Call::kContainerRemove, c.last->id);
      if (!c.id.empty()) removal->steps.emplace_back(Call::kContainerRemove, c.id);
    }
    for (const auto& s : (*sandboxes)["items"].items()) {
      std::string id(s["id"].as_text());
      removal->steps.emplace_back(Call::kSandboxStop, id);
      removal->steps.emplace_back(Call::kSandboxRemove, id);
    }
    removal->next();
  });
}

void PodWorker::delete_object() {
  auto options = json::Value::object({{"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"gracePeriodSeconds", 0},
                                      {"preconditions", json::Value::object({{"uid", state_.spec->uid}})}});
  c_.client.remove({"", "v1", "pods"}, state_.spec->ns, state_.spec->name, options,
                   [weak = weak_from_this()](Result<ObjectPtr> answer) {
                     auto self = weak.lock();
                     if (!self) return;
                     auto reason = answer.ok() ? Reason::kOk : answer.status().reason;
                     if (answer.ok() || reason == Reason::kNotFound || reason == Reason::kConflict)
                       return self->feed(self->about(Input::Kind::kDeleted));
                     self->later(kRetry, [weak] {
                       if (auto again = weak.lock()) again->feed(again->about(Input::Kind::kDeleteFailed));
                     });
                   });
}

}  // namespace lotse::agent
