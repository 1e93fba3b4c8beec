// The start: what was written down, what the runtime has, then the API; the node is registered meanwhile. Each part is
// tried again until it works, and pods that are known from the checkpoint go on without waiting for the API.
#include "core/agent/agent_impl.h"
#include "core/base/log.h"
#include "core/object/quantity.h"

namespace lotse::agent {
namespace {

constexpr Duration kShort = std::chrono::seconds(30), kRetryFirst = std::chrono::milliseconds(200),
                   kRetryMost = std::chrono::seconds(5);
constexpr const char* kPods = "pods";
constexpr const char* kConfigMaps = "configmaps";
constexpr const char* kSecrets = "secrets";
constexpr const char* kServices = "services";

}  // namespace

void Agent::Impl::retry(std::function<void()> fn) {
  start_delay = start_delay == Duration(0) ? kRetryFirst : std::min(start_delay * 2, kRetryMost);
  start_timer = loop.after(start_delay, [weak = weak_from_this(), fn = std::move(fn)] {
    auto self = weak.lock();
    if (self && !self->stopped) fn();
  });
}

// Facts first: the Node cannot be described without them.
void Agent::Impl::start() {
  if (own_events) own_events->start();
  lost = context.runtime_events.on_lost([weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self || self->stopped) return;
    auto copy = self->pods;
    for (auto& [uid, pod] : copy) pod->look_again();
  });
  auto groups = std::make_shared<std::optional<Cgroups>>();
  auto files = std::make_shared<std::map<std::string, std::string>>();
  auto facts = std::make_shared<NodeFacts>();
  auto work = [self = shared_from_this(), groups, files, facts] {
    *facts = read_node_facts(self->config.data_dir);
    self->read_checkpoint();
    if (self->config.hollow || self->config.cgroup_root.empty()) return;
    auto opened = Cgroups::open(self->config.cgroup_mount, self->config.cgroup_root);
    auto most = node_allocatable(node_capacity(*facts, self->config.pods_max, self->config.capacity), self->config.reserved);
    auto cpu = Quantity::parse(most["cpu"]), memory = Quantity::parse(most["memory"]);
    auto status = opened.ok() ? opened->set_up(cpu.ok() ? cpu->milli() : 0, memory.ok() ? memory->value() : 0) : opened.status();
    if (status.ok()) {
      *files = opened->container_files();
      *groups = std::move(*opened);
    }
    if (!status.ok()) log::warn("agent.cgroups", "pods run without cgroups of their own: " + status.message);
  };
  on_pool(loop, pool, work, [weak = weak_from_this(), groups, files, facts] {
    auto self = weak.lock();
    if (!self || self->stopped) return;
    self->context.cgroups = std::move(*groups);
    self->context.cgroup_files = std::move(*files);
    self->weigh_burstable();
    auto& n = self->node_state;
    n.facts = *facts;
    n.capacity = node_capacity(*facts, self->config.pods_max, self->config.capacity);
    n.allocatable = node_allocatable(n.capacity, self->config.reserved);
    self->context.allocatable = n.allocatable;
    self->context.node_memory = facts->memory_bytes;
    self->ask_runtime();
  });
}

// [worker] Before anything else runs on the loop: nobody else looks at these meanwhile.
void Agent::Impl::read_checkpoint() {
  if (!checkpoint) return;
  for (auto& o : checkpoint->read(kConfigMaps)) references.preset(o->header().ns, RefKind::kConfigMap, o);
  for (auto& o : checkpoint->read(kSecrets)) references.preset(o->header().ns, RefKind::kSecret, o);
  for (auto& o : checkpoint->read(kServices)) services[o->header().uid] = o;
}

void Agent::Impl::ask_runtime() {
  call_on(loop, runtime, Call::kInfo, MsgValue::map(), kShort, [weak = weak_from_this()](Result<MsgValue> answer) {
    auto self = weak.lock();
    if (!self || self->stopped) return;
    if (answer.ok() && (*answer)["ready"].as_bool()) return self->runtime_answered(*answer);
    self->node_state.runtime =
        Status(Reason::kServiceUnavailable,
               answer.ok() ? std::string((*answer)["message"].as_text("not ready")) : answer.status().message);
    if (!self->node) self->follow_api();  // the node is there, and says that it is not ready
    self->node->changed();
    self->retry([weak] {
      if (auto again = weak.lock()) again->ask_runtime();
    });
  });
}

void Agent::Impl::runtime_answered(const MsgValue& info) {
  start_delay = Duration(0);
  node_state.runtime = Status();
  node_state.runtime_name = std::string(info["name"].as_text());
  context.runtime_name = node_state.runtime_name;
  node_state.runtime_version = std::string(info["version"].as_text());
  if (node) node->changed();
  if (!config.hollow) {
    images.import_all([weak = weak_from_this()] {
      auto self = weak.lock();
      if (self && !self->stopped) self->refresh_images();
    });
  }
  look_for_pods();
}

void Agent::Impl::look_for_pods() {
  auto again = [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->look_for_pods();
  };
  auto answered = [weak = weak_from_this(), again](Result<MsgValue> sandboxes) {
    auto self = weak.lock();
    if (!self || self->stopped) return;
    call_on(self->loop, self->runtime, Call::kContainerList, MsgValue::map(), kShort,
            [weak, again, sandboxes = std::move(sandboxes)](Result<MsgValue> containers) {
              auto self = weak.lock();
              if (!self || self->stopped) return;
              if (!sandboxes.ok() || !containers.ok()) return self->retry(again);
              self->take_found(*sandboxes, *containers);
            });
  };
  call_on(loop, runtime, Call::kSandboxList, MsgValue::map(), kShort, std::move(answered));
}

// Ours are known by the label with our node's name.
void Agent::Impl::take_found(const MsgValue& sandboxes, const MsgValue& containers) {
  std::map<std::string, std::string> uid_of;
  for (const auto& s : sandboxes["items"].items()) {
    if (s["labels"][kLabelNode].as_text() != config.node_name) continue;
    std::string uid(s["uid"].as_text());
    uid_of[std::string(s["id"].as_text())] = uid;
    found[uid].sandboxes.push_back(s);
  }
  for (const auto& c : containers["items"].items()) {
    auto it = uid_of.find(std::string(c["sandbox"].as_text()));
    if (it != uid_of.end()) found[it->second].containers.push_back(c);
  }
  runtime_seen = true;
  if (!found.empty())
    log::info("agent.found", "pods were found in the runtime", {{"node", config.node_name}, {"pods", found.size()}});
  if (!services.empty()) services_changed();
  if (checkpoint) {
    for (auto& object : checkpoint->read(kPods)) {
      if (!pods.contains(object->header().uid)) add(object);
    }
  }
  if (!node) follow_api();
  pod_source = std::make_unique<Reflector>(
      client, loop, Reflector::Source{{"", "v1", "pods"}, "", {}, "spec.nodeName=" + config.node_name},
      [this](std::vector<ObjectPtr> all) { see_all(std::move(all)); },
      [this](ObjectPtr object, bool deleted) { deleted ? unsee(object->header().uid) : see(object); });
  pod_source->start();
  if (!config.hollow) {
    references.on_change([this] { save(); });
    care();
  }
}

void Agent::Impl::follow_api() {
  node = std::make_unique<NodeReporter>(config, client, loop, node_state, [this](const ObjectPtr& object) {
    if (on_node) on_node(object);
  });
  node->start();
  if (config.hollow) return;
  service_source = std::make_unique<Reflector>(
      client, loop, Reflector::Source{{"", "v1", "services"}, "", {}, {}},
      [this](std::vector<ObjectPtr> all) {
        services.clear();
        for (auto& o : all) services[o->header().uid] = std::move(o);
        services_changed();
      },
      [this](ObjectPtr object, bool deleted) {
        std::string uid = object->header().uid;
        if (deleted) services.erase(uid);
        else services[uid] = std::move(object);
        services_changed();
      });
  service_source->start();
}

void Agent::Impl::save() {
  if (!checkpoint || !runtime_seen) return;
  checkpoint->write_soon(kPods, [this] {
    std::vector<ObjectPtr> out;
    for (const auto& [uid, pod] : pods) out.push_back(pod->object());
    return out;
  });
  for (RefKind kind : {RefKind::kConfigMap, RefKind::kSecret}) {
    checkpoint->write_soon(kind == RefKind::kConfigMap ? kConfigMaps : kSecrets, [this, kind] {
      std::vector<ObjectPtr> out;
      for (auto& [k, object] : references.all()) {
        if (k == kind) out.push_back(object);
      }
      return out;
    });
  }
}

void Agent::Impl::services_changed() {
  bool first = !context.services;
  std::vector<ServiceLink> list;
  for (const auto& [uid, object] : services) {
    const json::Value v = object->value();
    ServiceLink s{object->header().ns, object->header().name, std::string(v["spec"]["clusterIP"].str()), {}};
    for (const auto& p : v["spec"]["ports"].items()) {
      s.ports.push_back(
          {std::string(p["name"].str()), std::string(p["protocol"].str("TCP")), static_cast<int>(p["port"].integer())});
    }
    list.push_back(std::move(s));
  }
  context.services = std::move(list);
  if (checkpoint && runtime_seen) {
    checkpoint->write_soon(kServices, [this] {
      std::vector<ObjectPtr> out;
      for (const auto& [uid, object] : services) out.push_back(object);
      return out;
    });
  }
  if (!first) return;
  auto copy = pods;  // containers may have waited for this
  for (auto& [uid, pod] : copy) pod->references_changed();
}

}  // namespace lotse::agent
