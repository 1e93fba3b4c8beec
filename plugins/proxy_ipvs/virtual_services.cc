#include "plugins/proxy_ipvs/virtual_services.h"

#include "lotse/error.hpp"

namespace lotse::proxy_ipvs {

std::vector<Problem> VirtualServices::bring_all(Ipvs& kernel, const std::map<VirtualKey, Virtual>& wanted, Time now) {
  std::vector<Problem> problems;
  for (const auto& key : kernel.ours())
    if (!wanted.contains(key)) bring(kernel, key, nullptr, now);
  for (const auto& [key, v] : wanted)
    if (auto problem = bring(kernel, key, &v, now)) problems.push_back(*std::move(problem));
  return problems;
}

std::optional<Problem> VirtualServices::bring(Ipvs& kernel, const VirtualKey& key, const Virtual* wanted, Time now) {
  const auto found = kernel.find(key);
  if (found && !found->ours) {
    if (!wanted) return {};
    return Problem{wanted->id, "AddressInUse", "another program has a virtual service at " + key.ip + ", " + key.protocol + " port " + std::to_string(key.port)};
  }
  if (!wanted) {
    draining_.erase(key);
    if (found) kernel.remove(key);
    return {};
  }
  if (!found && wanted->destinations.empty()) return {};
  if (!found || found->scheduler != scheduler_ || found->persistence_s != wanted->persistence_s) {
    try {
      kernel.set(key, scheduler_, wanted->persistence_s, found.has_value());
    } catch (const sdk::Failure& failure) {
      if (key.protocol != "sctp") throw;
      return Problem{wanted->id, "ProtocolNotSupported", std::string("the kernel's IPVS does not take SCTP: ") + failure.what()};
    }
  }
  bring_destinations(kernel, key, *wanted, now);
  return {};
}

void VirtualServices::bring_destinations(Ipvs& kernel, const VirtualKey& key, const Virtual& wanted, Time now) {
  auto there = kernel.destinations(key);
  auto& draining = draining_[key];
  // In any order: were it the same on all nodes, all of them would begin with the same endpoint.
  std::vector<Destination> order(wanted.destinations.begin(), wanted.destinations.end());
  std::shuffle(order.begin(), order.end(), dice_);
  for (const auto& to : order) {
    draining.erase(to);
    auto it = there.find(to);
    if (it == there.end() || it->second.weight != 1) kernel.set(key, to, 1, it != there.end());
  }
  bool unwanted = false;
  for (const auto& [to, d] : there) {
    if (wanted.destinations.contains(to)) continue;
    unwanted = true;
    if (d.weight != 0) kernel.set(key, to, 0, true);
  }
  // Counted once nothing new can come.
  const bool waits = key.protocol != "udp" && scheduler_ != "dh";
  if (unwanted) there = kernel.destinations(key);
  size_t left = there.size() + wanted.destinations.size();
  if (unwanted)
    for (const auto& [to, d] : there) {
      if (wanted.destinations.contains(to)) {
        --left;
      } else if (waits && d.connections > 0) {
        draining.try_emplace(to, now + patience_);
      } else {
        draining.erase(to);
        kernel.remove(key, to);
        --left;
      }
    }
  if (draining.empty()) draining_.erase(key);
  if (left == 0) kernel.remove(key);
}

void VirtualServices::collect(Ipvs& kernel, Time now) {
  for (auto entry = draining_.begin(); entry != draining_.end();) {
    auto& [key, waiting] = *entry;
    const auto there = kernel.destinations(key);
    size_t left = there.size();
    for (auto it = waiting.begin(); it != waiting.end();) {
      auto found = there.find(it->first);
      if (found != there.end() && found->second.weight == 0) {
        if (found->second.connections > 0 && now < it->second) {
          ++it;
          continue;
        }
        kernel.remove(key, it->first);
        --left;
      }
      it = waiting.erase(it);
    }
    if (left == 0) {
      auto found = kernel.find(key);
      if (found && found->ours) kernel.remove(key);
    }
    entry = waiting.empty() ? draining_.erase(entry) : std::next(entry);
  }
}

}  // namespace lotse::proxy_ipvs
