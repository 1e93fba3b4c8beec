#include "core/agent/reference_cache.h"

namespace lotse::agent {

ReferenceCache::ReferenceCache(api::Client& client, Loop& loop, std::function<void(const std::string&)> changed)
    : client_(client), loop_(loop), changed_(std::move(changed)) {}

ReferenceCache::~ReferenceCache() { *alive_ = false; }

void ReferenceCache::set(const Key& key, ObjectPtr object) {
  auto it = entries_.find(key);
  if (it == entries_.end()) return;
  bool same = it->second.known && ((!object && !it->second.object) ||
                                   (object && it->second.object && object->bytes() == it->second.object->bytes()));
  it->second.object = std::move(object);
  it->second.known = true;
  if (same) return;
  for (const auto& uid : it->second.users) {
    loop_.post([this, alive = alive_, uid] {
      if (*alive) changed_(uid);
    });
  }
  if (any_change_) any_change_();
}

void ReferenceCache::follow(const std::string& uid, const std::string& ns, const std::set<RefKey>& keys) {
  std::set<Key> want;
  for (const auto& k : keys) want.insert({ns, k});
  auto& have = pods_[uid];
  for (const auto& key : have) {
    if (want.contains(key)) continue;
    auto it = entries_.find(key);
    if (it == entries_.end()) continue;
    it->second.users.erase(uid);
    if (it->second.users.empty()) entries_.erase(it);
  }
  for (const auto& key : want) {
    auto& entry = entries_[key];
    entry.users.insert(uid);
    if (entry.reflector) continue;
    if (auto p = preset_.find(key); p != preset_.end()) {
      entry.object = p->second;
      entry.known = true;
    }
    Reflector::Source source{{"", "v1", key.ref.kind == RefKind::kConfigMap ? "configmaps" : "secrets"},
                             ns,
                             {},
                             "metadata.name=" + key.ref.name};
    entry.reflector = std::make_unique<Reflector>(
        client_, loop_, std::move(source),
        [this, key](std::vector<ObjectPtr> all) { set(key, all.empty() ? nullptr : all.front()); },
        [this, key](ObjectPtr object, bool deleted) { set(key, deleted ? nullptr : std::move(object)); });
    entry.reflector->start();
  }
  if (want.empty()) pods_.erase(uid);
  else have = std::move(want);
}

Referenced ReferenceCache::get(const std::string& ns, const std::set<RefKey>& keys) const {
  Referenced out;
  for (const auto& k : keys) {
    auto it = entries_.find({ns, k});
    if (it != entries_.end() && it->second.known) out[k] = it->second.object;
  }
  return out;
}

void ReferenceCache::preset(const std::string& ns, RefKind kind, ObjectPtr object) {
  std::string name = object->header().name;
  preset_[{ns, {kind, std::move(name)}}] = std::move(object);
}

std::vector<std::pair<RefKind, ObjectPtr>> ReferenceCache::all() const {
  std::vector<std::pair<RefKind, ObjectPtr>> out;
  for (const auto& [key, entry] : entries_) {
    if (entry.object) out.emplace_back(key.ref.kind, entry.object);
  }
  return out;
}

}  // namespace lotse::agent
