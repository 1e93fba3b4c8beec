#include "core/store/index.h"

#include <mutex>

namespace lotse::store {
namespace {

template <class Places>
void drop(Places& places, const std::string& place, std::string_view key) {
  const auto it = places.find(place);
  if (it == places.end()) return;
  if (const auto k = it->second.find(key); k != it->second.end()) it->second.erase(k);
  if (it->second.empty()) places.erase(it);
}

template <class Places>
std::vector<std::string> keys_of(const Places& places, const std::string& place) {
  const auto it = places.find(place);
  if (it == places.end()) return {};
  return {it->second.begin(), it->second.end()};
}

}  // namespace

void Index::clear() {
  std::unique_lock lock(mutex_);
  counts_.clear();
  owned_.clear();
  on_node_.clear();
}

void Index::load(std::string_view resource, std::string_view ns, std::string_view, std::string_view key, std::string_view bytes) {
  std::unique_lock lock(mutex_);
  count_up(std::string(resource), std::string(ns), 1);
  if (resource != "pods" && bytes.find("\"ownerReferences\"") == std::string_view::npos) return;
  if (auto object = Object::from_bytes(Bytes(bytes), 1); object.ok()) add(resource, key, (*object)->header());
}

void Index::change(const Key& key, std::string_view encoded, const Object* before, const Object* after) {
  std::unique_lock lock(mutex_);
  if (before) remove(key.resource, encoded, before->header());
  if (after) add(key.resource, encoded, after->header());
  if (!before != !after) count_up(key.resource, key.ns, after ? 1 : -1);
}

void Index::count_up(const ResourceName& resource, const std::string& ns, int by) {
  auto& spaces = counts_[resource];
  auto& n = spaces[ns];
  n = by < 0 && n < static_cast<size_t>(-by) ? 0 : n + static_cast<size_t>(by);
  if (n == 0) spaces.erase(ns);
}

void Index::add(std::string_view resource, std::string_view encoded, const ObjectHeader& header) {
  for (const auto& owner : header.owners) owned_[owner.uid].emplace(encoded);
  if (resource == "pods" && !header.node_name.empty()) on_node_[header.node_name].emplace(encoded);
}

void Index::remove(std::string_view resource, std::string_view encoded, const ObjectHeader& header) {
  for (const auto& owner : header.owners) drop(owned_, owner.uid, encoded);
  if (resource == "pods" && !header.node_name.empty()) drop(on_node_, header.node_name, encoded);
}

size_t Index::count(const ResourceName& resource, const std::string& ns) const {
  std::shared_lock lock(mutex_);
  const auto it = counts_.find(resource);
  if (it == counts_.end()) return 0;
  if (!ns.empty()) {
    const auto n = it->second.find(ns);
    return n == it->second.end() ? 0 : n->second;
  }
  size_t all = 0;
  for (const auto& [space, n] : it->second) all += n;
  return all;
}

std::vector<std::string> Index::owned_by(const std::string& uid) const {
  std::shared_lock lock(mutex_);
  return keys_of(owned_, uid);
}

std::vector<std::string> Index::on_node(const std::string& node) const {
  std::shared_lock lock(mutex_);
  return keys_of(on_node_, node);
}

}  // namespace lotse::store
