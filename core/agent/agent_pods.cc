// Which pods there are: from the API once it answers, before that from the checkpoint; and what is left of those that
// are no more.
#include <dirent.h>

#include "core/agent/admission.h"
#include "core/agent/agent_impl.h"
#include "core/agent/log_files.h"
#include "core/agent/safe_path.h"
#include "core/agent/volumes.h"
#include "core/base/log.h"

namespace lotse::agent {
namespace {

constexpr Duration kShort = std::chrono::seconds(30);

}  // namespace

void Agent::Impl::see_all(std::vector<ObjectPtr> all) {
  std::set<std::string> there;
  for (const auto& o : all) there.insert(o->header().uid);
  auto copy = pods;
  for (auto& [uid, pod] : copy) {
    if (!there.contains(uid)) pod->gone();
  }
  // Those that run already hold their resources before newcomers are looked at.
  std::stable_sort(all.begin(), all.end(), [this](const ObjectPtr& a, const ObjectPtr& b) {
    bool has_a = found.contains(a->header().uid), has_b = found.contains(b->header().uid);
    return has_a != has_b ? has_a : a->header().created < b->header().created;
  });
  for (const auto& o : all) see(o);
  if (!std::exchange(api_seen, true)) remove_orphans();
}

void Agent::Impl::see(const ObjectPtr& object) {
  auto it = pods.find(object->header().uid);
  if (it == pods.end()) return add(object);
  auto pod = it->second;
  pod->update(object);
  if (pod->state().spec->terminal()) weigh_burstable();
  save();
}

void Agent::Impl::unsee(const std::string& uid) {
  auto it = pods.find(uid);
  if (it == pods.end()) return;
  auto pod = it->second;
  pod->gone();
}

void Agent::Impl::add(const ObjectPtr& object) {
  auto uid = object->header().uid;
  auto worker = std::make_shared<PodWorker>(context, object);
  Found what;
  if (auto it = found.find(uid); it != found.end()) {
    what = std::move(it->second);
    found.erase(it);
  }
  pods[uid] = worker;
  worker->begin(what);
  admit(*worker);
  weigh_burstable();
  save();
}

void Agent::Impl::admit(PodWorker& worker) {
  const auto& state = worker.state();
  if (state.admitted || state.spec->terminal() || state.spec->deleting) return worker.admit();
  const auto document = worker.document();
  const json::Value& pod = *document;
  // Admitted before, by what was reported of it: a restart of ours is no reason to think again.
  if (state.spec->start_time != WallTime{}) return worker.admit();
  if (auto why = refused_under_pressure(
          pod, {node_state.memory_pressure, node_state.disk_pressure, node_state.pid_pressure})) {
    return worker.reject("Evicted", *why);
  }
  std::vector<const PodClaims*> others;
  for (const auto& [uid, other] : pods) {
    if (other.get() == &worker || other->state().stop || !other->state().admitted) continue;
    if (config.hollow && others.size() > 0) break;
    others.push_back(&other->claims());
  }
  static const json::Value none;
  const json::Value node_doc = node && node->node() && !config.hollow ? node->node()->value() : none;
  auto no = admit_pod({pod, others, node_doc, context.allocatable, config.pods_max});
  if (no) return worker.reject(no->reason, "Pod was rejected: " + no->message);
  worker.admit();
}

void Agent::Impl::finished(const std::string& uid) {
  loop.post([weak = weak_from_this(), uid] {
    auto self = weak.lock();
    if (!self || self->stopped) return;
    self->pods.erase(uid);
    self->weigh_burstable();
    self->save();
  });
}

// One write at a time, after what is being done now: many pods may come and go at once.
void Agent::Impl::weigh_burstable() {
  if (!context.cgroups || std::exchange(weighing, true)) return;
  loop.post([weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self || self->stopped) return;
    int64_t sum = 0;
    for (const auto& [uid, pod] : self->pods) {
      const auto& state = pod->state();
      if (state.spec->qos != Qos::kBurstable || state.spec->terminal() || state.stop) continue;
      sum += pod_amounts(pod->object()->value()).cpu_request_m;
    }
    if (sum == self->burstable_m) {
      self->weighing = false;
      return;
    }
    auto status = std::make_shared<Status>();
    auto work = [groups = *self->context.cgroups, sum, status] { *status = groups.weigh_burstable(sum); };
    on_pool(self->loop, self->pool, work, [weak, sum, status] {
      auto again = weak.lock();
      if (!again) return;
      if (!status->ok()) log::warn("agent.cgroups", status->message);
      again->burstable_m = sum;
      again->weighing = false;
      again->weigh_burstable();
    });
  });
}

// What no pod stands for: sandboxes of pods that were deleted while we were not there, their files and cgroups.
void Agent::Impl::remove_orphans() {
  for (const auto& [uid, what] : found) {
    log::info("agent.orphan", "a pod that is no more is taken down", {{"uid", uid}});
    for (const auto& s : what.sandboxes) {
      auto request = MsgValue::map({{"id", s["id"].as_text()}});
      auto stop = request;
      if (!config.cni_dir.empty()) stop.set("cni", config.cni_dir);
      call_on(loop, runtime, Call::kSandboxStop, stop, std::chrono::minutes(2),
              [weak = weak_from_this(), request](Result<MsgValue>) {
                if (auto self = weak.lock())
                  self->runtime.call(Call::kSandboxRemove, request, kShort, [](Result<MsgValue>) {});
              });
    }
  }
  found.clear();
  if (config.hollow) return;
  auto keep = std::make_shared<std::set<std::string>>();
  for (const auto& [uid, pod] : pods) keep->insert(uid);
  on_pool(loop, pool, [self = shared_from_this(), keep, groups = context.cgroups] {
    if (DIR* d = opendir((self->config.data_dir + "/pods").c_str())) {
      std::vector<std::string> names;
      while (auto* e = readdir(d)) names.emplace_back(e->d_name);
      closedir(d);
      for (const auto& uid : names) {
        if (uid[0] == '.' || keep->contains(uid)) continue;
        auto status = tear_down(PodDirs{self->config.data_dir + "/pods/" + uid, {}});
        if (!status.ok()) log::warn("agent.orphan_files", status.message, {{"uid", uid}});
      }
    }
    if (DIR* d = opendir(self->config.pod_log_dir.c_str())) {
      std::vector<std::string> names;
      while (auto* e = readdir(d)) names.emplace_back(e->d_name);
      closedir(d);
      for (const auto& name : names) {
        auto cut = name.rfind('_');
        if (cut == std::string::npos || keep->contains(name.substr(cut + 1))) continue;
        (void)remove_tree(self->config.pod_log_dir + "/" + name);
      }
    }
    if (!self->config.container_log_dir.empty()) remove_dead_links(self->config.container_log_dir);
    if (!groups) return;
    for (const auto& [qos, uid] : groups->pods()) {
      if (!keep->contains(uid)) (void)groups->remove_pod(qos, uid);
    }
  }, [] {});
}

}  // namespace lotse::agent
