#include "core/control/node_ipam/node_ipam.h"

#include <algorithm>

#include "core/control/action.h"

namespace lotse::control {
namespace {
std::vector<std::string> cidrs_of(const json::Value& node) {
  std::vector<std::string> out;
  for (const json::Value& c : node["spec"]["podCIDRs"].items()) out.emplace_back(c.str());
  if (out.empty() && !node["spec"]["podCIDR"].str().empty()) out.emplace_back(node["spec"]["podCIDR"].str());
  return out;
}
}  // namespace

NodeIpamController::NodeIpamController(const std::vector<std::string>& pod_cidrs) {
  for (const std::string& text : pod_cidrs)
    if (auto range = Range::parse(text)) pools_.push_back({*range, std::max(range->bits, range->v6 ? 64 : 24), {}, 0});
}

std::vector<store::ResourceName> NodeIpamController::resources() const {
  return {kNodes.name()};
}

std::vector<std::string> NodeIpamController::keys(const store::Event& event, const View&) {
  if (event.type == store::Event::Type::kDeleted) {
    give_back(event.key.name);
    return {};
  }
  std::vector<std::string> cidrs = cidrs_of(event.object->value());
  if (cidrs.empty()) return {event.key.name};
  for (Pool& pool : pools_) pool.used.insert(cidrs.begin(), cidrs.end());
  given_[event.key.name] = std::move(cidrs);
  return {};
}

void NodeIpamController::give_back(const std::string& node) {
  auto it = given_.find(node);
  if (it == given_.end()) return;
  for (Pool& pool : pools_)
    for (const std::string& cidr : it->second) pool.used.erase(cidr);
  given_.erase(it);
}

std::vector<std::string> NodeIpamController::take(const std::string& node) {
  if (auto it = given_.find(node); it != given_.end()) return it->second;  // the last attempt to write it down failed
  std::vector<std::string> out;
  for (Pool& pool : pools_) {
    bool wrapped = false;
    for (uint64_t n = pool.next;; ++n) {
      auto part = pool.range.part(n, pool.bits);
      if (!part && !wrapped) {
        wrapped = true;
        n = UINT64_MAX;  // becomes 0
        continue;
      }
      if (!part || (wrapped && n >= pool.next)) return {};
      if (!pool.used.insert(*part).second) continue;
      pool.next = n + 1;
      out.push_back(std::move(*part));
      break;
    }
  }
  given_[node] = out;
  return out;
}

Outcome NodeIpamController::reconcile(const std::string& key, const View& view, WallTime) {
  ObjectPtr node = view.get(kNodes.name(), "", key);
  if (!node || !cidrs_of(node->value()).empty() || pools_.empty()) return {};
  Outcome out;
  std::vector<std::string> cidrs = take(key);
  if (cidrs.empty()) {
    out.actions.push_back(
        event(node, "Normal", "CIDRNotAvailable", "Node " + key + " status is now: CIDRNotAvailable"));
    out.again = std::chrono::minutes(1);
    return out;
  }
  json::Value patch, list = json::Value::array();
  for (const std::string& c : cidrs) list.push(c);
  patch["spec"].set("podCIDR", cidrs[0]).set("podCIDRs", std::move(list));
  out.actions.push_back(merge_patch(kNodes, "", key, std::move(patch)));
  out.actions.back().accept = {Reason::kNotFound};
  return out;
}

}  // namespace lotse::control
