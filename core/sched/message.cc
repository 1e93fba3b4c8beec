#include "core/sched/message.h"

#include <algorithm>
#include <map>

namespace lotse::sched {
namespace {
std::string histogram(const std::map<std::string, int>& counts) {
  std::vector<std::string> parts;
  for (const auto& [reason, n] : counts) parts.push_back(std::to_string(n) + " " + reason);
  std::sort(parts.begin(), parts.end());
  std::string out;
  for (const std::string& p : parts) out += (out.empty() ? "" : ", ") + p;
  return out;
}
}  // namespace

std::string fit_message(const std::vector<NodeReason>& reasons, bool never_preempts) {
  std::map<std::string, bool> resolvable;  // by node
  std::map<std::string, int> why, preempting;
  for (const NodeReason& r : reasons) {
    ++why[r.reason];
    auto [it, fresh] = resolvable.emplace(r.node, r.resolvable);
    if (!fresh) it->second = it->second && r.resolvable;
  }
  if (resolvable.empty()) return "no nodes available to schedule pods";
  for (const auto& [node, can] : resolvable)
    ++preempting[can ? "No preemption victims found for incoming pod" : "Preemption is not helpful for scheduling"];
  const std::string none = "0/" + std::to_string(resolvable.size()) + " nodes are available: ";
  std::string out = none + histogram(why) + ". preemption: ";
  return out + (never_preempts ? "not eligible due to preemptionPolicy=Never." : none + histogram(preempting) + ".");
}

}  // namespace lotse::sched
