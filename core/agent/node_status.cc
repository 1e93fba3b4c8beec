#include "core/agent/node_status.h"

#include "core/base/log.h"

namespace lotse::agent {
namespace {

constexpr Duration kRetryFirst = std::chrono::milliseconds(200), kRetryMost = std::chrono::seconds(15);
constexpr int kLeaseSeconds = 40;
const api::ResourceRef kNodes{"", "v1", "nodes"}, kLeases{"coordination.k8s.io", "v1", "leases"};

}  // namespace

struct NodeReporter::State : std::enable_shared_from_this<State> {
  const Config& config;
  api::Client& client;
  Loop& loop;
  NodeState& facts;
  std::function<void(const ObjectPtr&)> seen;
  ObjectPtr node;
  std::unique_ptr<Reflector> reflector;
  Handle retry, beat, lease;
  Duration delay{0};
  bool sending = false, again = false, registered = false, posted = false;

  State(const Config& c, api::Client& cl, Loop& l, NodeState& f, std::function<void(const ObjectPtr&)> s)
      : config(c), client(cl), loop(l), facts(f), seen(std::move(s)) {}

  auto weakly(void (State::*fn)()) {
    return [weak = weak_from_this(), fn] {
      if (auto self = weak.lock()) (self.get()->*fn)();
    };
  }

  void later(void (State::*fn)()) {
    delay = delay == Duration(0) ? kRetryFirst : std::min(delay * 2, kRetryMost);
    retry = loop.after(delay, weakly(fn));
  }

  void enrol() {
    client.get(kNodes, "", config.node_name, [weak = weak_from_this()](Result<ObjectPtr> answer) {
      auto self = weak.lock();
      if (!self) return;
      if (answer.ok()) return self->enrolled(std::move(*answer));
      if (answer.status().reason != Reason::kNotFound) return self->later(&State::enrol);
      self->client.create(kNodes, "", make_node(self->config, self->facts), [weak](Result<ObjectPtr> made) {
        auto again = weak.lock();
        if (!again) return;
        if (made.ok()) return again->enrolled(std::move(*made));
        if (made.status().reason != Reason::kAlreadyExists)
          log::warn("agent.node_refused", made.status().message, {{"node", again->config.node_name}});
        again->later(&State::enrol);
      });
    });
  }

  void enrolled(ObjectPtr object) {
    bool first = !registered;
    registered = true;
    delay = Duration(0);
    take(std::move(object));
    labels();
    send(true);
    if (!first) return;
    reflector = std::make_unique<Reflector>(
        client, loop, Reflector::Source{kNodes, "", {}, "metadata.name=" + config.node_name},
        [this](std::vector<ObjectPtr> all) { all.empty() ? vanished() : follow(std::move(all.front())); },
        [this](ObjectPtr object, bool deleted) { deleted ? vanished() : follow(std::move(object)); });
    reflector->start();
    arm_beat();
    if (config.renew_lease) renew();
  }

  // Somebody deleted our Node while we live: we enrol again.
  void vanished() {
    node.reset();
    later(&State::enrol);
  }

  void take(ObjectPtr object) {
    if (node && object->revision() < node->revision()) return;
    bool news = !node || node->bytes() != object->bytes();
    node = std::move(object);
    if (news && seen) seen(node);
  }

  // A controller that had not heard of us has called us Unknown: we answer at once, not with the next heartbeat.
  void follow(ObjectPtr object) {
    take(std::move(object));
    const json::Value doc = node->value();
    for (const auto& c : doc["status"]["conditions"].items())
      if (c["status"].str() == "Unknown") return send(true);
  }

  // Labels that are ours are put back; those of others stay.
  void labels() {
    const json::Value want = make_node(config, facts)["metadata"]["labels"];
    const json::Value doc = node->value();
    auto missing = json::Value::object();
    for (const auto& [k, v] : want.members()) {
      if (!(doc["metadata"]["labels"][k] == v)) missing.set(k, v);
    }
    if (missing.empty()) return;
    auto patch = json::Value::object({{"metadata", json::Value::object({{"labels", std::move(missing)}})}});
    client.patch(kNodes, "", config.node_name, api::Client::PatchType::kMerge, patch, [](Result<ObjectPtr> answer) {
      if (!answer.ok()) log::warn("agent.node_labels", answer.status().message);
    });
  }

  void arm_beat() {
    beat = loop.after(config.status_period, [weak = weak_from_this()] {
      auto self = weak.lock();
      if (!self) return;
      self->send(true);
      self->arm_beat();
    });
  }

  void send_now() { send(false); }

  void send(bool heartbeat) {
    if (!node) return;
    if (sending) {
      again = true;
      return;
    }
    auto patch = node_status_patch(config, facts, node->value(), loop.clock().now(), heartbeat);
    if (patch.is_null()) return;
    sending = true;
    client.patch(
        kNodes, "", config.node_name, api::Client::PatchType::kStrategic, patch,
        [weak = weak_from_this()](Result<ObjectPtr> answer) {
          auto self = weak.lock();
          if (!self) return;
          self->sending = false;
          if (answer.ok()) {
            self->delay = Duration(0);
            self->take(std::move(*answer));
            if (std::exchange(self->again, false)) self->send(false);
            return;
          }
          log::warn("agent.node_status", answer.status().message, {{"node", self->config.node_name}});
          self->later(answer.status().reason == Reason::kNotFound ? &State::enrol : &State::send_now);
        },
        "status");
  }

  void renew() {
    auto now = format_micro_time(loop.clock().now());
    auto patch = json::Value::object({{"spec", json::Value::object({{"renewTime", now},
                                                                    {"holderIdentity", config.node_name},
                                                                    {"leaseDurationSeconds", kLeaseSeconds}})}});
    client.patch(kLeases, "kube-node-lease", config.node_name, api::Client::PatchType::kMerge, patch,
                 [weak = weak_from_this(), patch](Result<ObjectPtr> answer) {
                   auto self = weak.lock();
                   if (!self) return;
                   if (!answer.ok() && answer.status().reason == Reason::kNotFound) self->make_lease(patch);
                   self->lease = self->loop.after(self->config.lease_period, self->weakly(&State::renew));
                 });
  }

  void make_lease(json::Value lease_object) {
    lease_object.set("apiVersion", "coordination.k8s.io/v1").set("kind", "Lease");
    auto meta = json::Value::object({{"name", config.node_name}, {"namespace", "kube-node-lease"}});
    if (node) {
      auto owner = json::Value::object(
          {{"apiVersion", "v1"}, {"kind", "Node"}, {"name", config.node_name}, {"uid", node->header().uid}});
      auto owners = json::Value::array();
      owners.push(std::move(owner));
      meta.set("ownerReferences", std::move(owners));
    }
    lease_object.set("metadata", std::move(meta));
    client.create(kLeases, "kube-node-lease", std::move(lease_object), [](Result<ObjectPtr>) {});
  }
};

NodeReporter::NodeReporter(const Config& config, api::Client& client, Loop& loop, NodeState& state,
                           std::function<void(const ObjectPtr&)> seen)
    : state_(std::make_shared<State>(config, client, loop, state, std::move(seen))) {}

NodeReporter::~NodeReporter() { state_->reflector.reset(); }

void NodeReporter::start() { state_->enrol(); }

// What changes together is sent together.
void NodeReporter::changed() {
  if (std::exchange(state_->posted, true)) return;
  state_->loop.post([weak = std::weak_ptr<State>(state_)] {
    auto self = weak.lock();
    if (!self) return;
    self->posted = false;
    self->send(false);
  });
}

const ObjectPtr& NodeReporter::node() const { return state_->node; }

}  // namespace lotse::agent
