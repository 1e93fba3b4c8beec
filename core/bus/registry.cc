// Node keys and join tokens are objects of internal resources: lotse/nodekeys (named after the node) and lotse/jointokens (named
// after the SHA-256 of the token). A node whose Node object is deleted is out: its key goes with it.
#include <shared_mutex>

#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/bus/bus.h"

namespace lotse::bus {
namespace {

constexpr const char* kKeys = "lotse/nodekeys";
constexpr const char* kTokens = "lotse/jointokens";

json::Value record(const char* kind, const std::string& name) {
  json::Value v = json::Value::object({{"apiVersion", "lotse/v1"}, {"kind", kind}});
  v["metadata"]["name"] = name;
  v["metadata"]["uid"] = make_uuid();
  return v;
}

class StoreRegistry : public Registry, public std::enable_shared_from_this<StoreRegistry> {
 public:
  StoreRegistry(store::Store& store, Clock& clock) : store_(store), clock_(clock) {}

  void begin() {
    store::WatchQuery keys, nodes;
    keys.resource = kKeys;
    nodes.resource = "nodes";
    if (auto page = store_.list({.resource = kKeys}); page.ok()) {
      for (const auto& object : page->items) learn(*object);
      keys.from = nodes.from = page->revision;
    }
    auto wake = [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->follow();
    };
    if (auto c = store_.watch(keys, wake); c.ok()) keys_ = *std::move(c);
    if (auto c = store_.watch(nodes, wake); c.ok()) nodes_ = *std::move(c);
    follow();
  }

  std::optional<std::string> node_of(const std::string& key) const override {
    std::shared_lock lock(mutex_);
    auto it = by_key_.find(key);
    return it == by_key_.end() ? std::nullopt : std::optional(it->second);
  }

  void create_token(Duration lifetime, bool for_master, std::function<void(Result<std::string>)> done) override {
    std::string raw(24, '\0');
    fill_random({reinterpret_cast<uint8_t*>(raw.data()), raw.size()});
    std::string token = base64url(raw);
    json::Value v = record("JoinToken", sha256_hex(token));
    v["expires"] = format_time(clock_.now() + lifetime);
    if (for_master) v["master"] = true;
    store::Write w;
    w.key = {kTokens, "", sha256_hex(token)};
    w.object = Object::from_value(std::move(v), 0);
    w.expected = 0;
    w.ttl = lifetime;
    store_.commit(std::move(w), [token, done](Result<store::Committed> r) { r.ok() ? done(token) : done(r.status()); });
  }

  void join(const std::string& token, const std::string& node, const std::string& key, std::function<void(Status)> done) override {
    if (auto owner = owner_of(node); owner && *owner != key)
      return done(Status(Reason::kConflict, "the node name " + node + " belongs to another key: remove that node first (kubectl delete node " + node + ")"));
    spend(token, false, [self = shared_from_this(), node, key, done](Status status) { status.ok() ? self->admit(node, key, done) : done(std::move(status)); });
  }

  void spend_master_token(const std::string& token, std::function<void(Status)> done) override { spend(token, true, std::move(done)); }

  void admit(const std::string& node, const std::string& key, std::function<void(Status)> done) override {
    if (auto owner = owner_of(node); owner && *owner == key) return done({});
    json::Value v = record("NodeKey", node);
    v["key"] = key;
    store::Write w;
    w.key = {kKeys, "", node};
    w.object = Object::from_value(std::move(v), 0);
    w.expected = 0;
    auto self = shared_from_this();
    store_.commit(std::move(w), [self, node, done](Result<store::Committed> r) {
      if (!r.ok()) return done(r.status());
      self->learn(*r->object);
      log::info("bus.node_admitted", "a node's key was recorded", {{"node", node}});
      done({});
    });
  }

 private:
  // The token is spent first, with its revision expected: of two that bring it only one succeeds.
  void spend(const std::string& token, bool for_master, std::function<void(Status)> done) {
    const store::Key at{kTokens, "", sha256_hex(token)};
    const Status refused(Reason::kUnauthorized, std::string("the join token is unknown, has been used, has expired, or is not for a ") + (for_master ? "master" : "worker") +
                                                    ": make a new one with `lotse token create" + (for_master ? " --master`" : "`"));
    auto object = store_.get(at);
    if (!object.ok()) return done(refused);
    const json::Value v = (*object)->value();
    auto expires = parse_time(v["expires"].str());
    if (!expires.ok() || *expires <= clock_.now() || v["master"].boolean() != for_master) return done(refused);
    store::Write spend;
    spend.op = store::Op::kDelete;
    spend.key = at;
    spend.expected = (*object)->revision();
    store_.commit(std::move(spend), [done, refused](Result<store::Committed> r) {
      if (r.ok()) return done({});
      done(r.status().reason == Reason::kConflict || r.status().reason == Reason::kNotFound ? refused : r.status());
    });
  }

  std::optional<std::string> owner_of(const std::string& node) const {
    std::shared_lock lock(mutex_);
    auto it = by_node_.find(node);
    return it == by_node_.end() ? std::nullopt : std::optional(it->second);
  }

  void learn(const Object& object) {
    std::string key(object.value()["key"].str());
    std::unique_lock lock(mutex_);
    by_node_[object.header().name] = key;
    by_key_[key] = object.header().name;
  }

  void forget(const std::string& node) {
    std::unique_lock lock(mutex_);
    auto it = by_node_.find(node);
    if (it == by_node_.end()) return;
    by_key_.erase(it->second);
    by_node_.erase(it);
  }

  void follow() {
    std::lock_guard lock(follow_mutex_);
    while (keys_) {
      auto events = keys_->next(64);
      if (!events.ok() || events->empty()) break;
      for (const auto& e : *events) e.type == store::Event::Type::kDeleted ? forget(e.key.name) : learn(*e.object);
    }
    while (nodes_) {
      auto events = nodes_->next(64);
      if (!events.ok() || events->empty()) break;
      for (const auto& e : *events)
        if (e.type == store::Event::Type::kDeleted) remove(e.key.name);
    }
  }

  void remove(const std::string& node) {
    if (!owner_of(node)) return;
    forget(node);  // at once: the node is out with its next message
    store::Write w;
    w.op = store::Op::kDelete;
    w.key = {kKeys, "", node};
    store_.commit(std::move(w), [node](Result<store::Committed> r) {
      if (!r.ok() && r.status().reason != Reason::kNotFound)
        log::warn("bus.node_key_kept", "the key of a removed node could not be deleted", {{"node", node}, {"reason", r.status().message}});
    });
  }

  store::Store& store_;
  Clock& clock_;
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, std::string> by_key_, by_node_;
  std::mutex follow_mutex_;
  std::unique_ptr<store::Cursor> keys_, nodes_;
};

}  // namespace

std::shared_ptr<Registry> Registry::make(store::Store& store, Clock& clock) {
  auto registry = std::make_shared<StoreRegistry>(store, clock);
  registry->begin();
  return registry;
}

}  // namespace lotse::bus
