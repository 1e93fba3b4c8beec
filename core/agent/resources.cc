#include "core/agent/resources.h"

#include "core/object/quantity.h"

namespace lotse::agent {
namespace {

int64_t amount(const json::Value& list, const char* name, bool milli) {
  const auto& v = list[name];
  auto q = Quantity::parse(v.is_number() ? v.number_text() : v.str());
  if (!q.ok() || q->negative()) return 0;
  return milli ? q->milli() : q->value();
}

Amounts read(const json::Value& resources) {
  Amounts a;
  a.cpu_limit_m = amount(resources["limits"], "cpu", true);
  a.memory_limit = amount(resources["limits"], "memory", false);
  a.cpu_request_m = resources["requests"].has("cpu") ? amount(resources["requests"], "cpu", true) : a.cpu_limit_m;
  a.memory_request = resources["requests"].has("memory") ? amount(resources["requests"], "memory", false) : a.memory_limit;
  return a;
}

struct Sum {
  Amounts total;
  bool cpu_open = false, memory_open = false;  // somebody has no limit
  void add(const Amounts& a) {
    total.cpu_request_m += a.cpu_request_m;
    total.memory_request += a.memory_request;
    total.cpu_limit_m += a.cpu_limit_m;
    total.memory_limit += a.memory_limit;
    cpu_open = cpu_open || a.cpu_limit_m == 0;
    memory_open = memory_open || a.memory_limit == 0;
  }
  void at_least(const Sum& o) {
    total.cpu_request_m = std::max(total.cpu_request_m, o.total.cpu_request_m);
    total.memory_request = std::max(total.memory_request, o.total.memory_request);
    total.cpu_limit_m = std::max(total.cpu_limit_m, o.total.cpu_limit_m);
    total.memory_limit = std::max(total.memory_limit, o.total.memory_limit);
    cpu_open = cpu_open || o.cpu_open;
    memory_open = memory_open || o.memory_open;
  }
};

}  // namespace

int64_t cpu_shares(int64_t milli) {
  if (milli <= 0) return kSharesLeast;
  return std::clamp(milli * 1024 / 1000, kSharesLeast, kSharesMost);
}

int64_t cpu_quota_us(int64_t milli) {
  if (milli <= 0) return 0;
  return std::max(milli * kQuotaPeriodUs / 1000, kQuotaLeastUs);
}

int64_t cpu_weight(int64_t shares) {
  if (shares <= 0) return 0;
  return 1 + (std::clamp(shares, kSharesLeast, kSharesMost) - 2) * 9999 / 262142;
}

// Kubernetes' "Node out of memory behavior": guaranteed pods last, best effort first, those between by their request.
int oom_score_adj(Qos qos, int64_t memory_request, int64_t node_memory, bool critical) {
  if (critical || qos == Qos::kGuaranteed) return -997;
  if (qos == Qos::kBestEffort || node_memory <= 0) return 1000;
  int64_t score = 1000 - 1000 * memory_request / node_memory;
  return static_cast<int>(std::clamp<int64_t>(score, 3, 999));
}

Amounts container_amounts(const json::Value& container) { return read(container["resources"]); }

Amounts pod_amounts(const json::Value& pod) {
  const auto& spec = pod["spec"];
  Sum sum, sidecars, init_peak;
  for (const auto& c : spec["initContainers"].items()) {
    Sum with = sidecars;
    with.add(container_amounts(c));
    if (c["restartPolicy"].str() == "Always") sidecars = with;
    init_peak.at_least(with);
  }
  sum = sidecars;
  for (const auto& c : spec["containers"].items()) sum.add(container_amounts(c));
  sum.at_least(init_peak);
  auto out = sum.total;
  if (sum.cpu_open) out.cpu_limit_m = 0;
  if (sum.memory_open) out.memory_limit = 0;
  if (const auto& own = spec["resources"]; own.is_object()) {
    auto set = read(own);
    if (own["requests"].has("cpu") || set.cpu_limit_m) out.cpu_request_m = set.cpu_request_m;
    if (own["requests"].has("memory") || set.memory_limit) out.memory_request = set.memory_request;
    if (set.cpu_limit_m) out.cpu_limit_m = set.cpu_limit_m;
    if (set.memory_limit) out.memory_limit = set.memory_limit;
  }
  int64_t cpu = amount(spec["overhead"], "cpu", true), memory = amount(spec["overhead"], "memory", false);
  out.cpu_request_m += cpu;
  out.memory_request += memory;
  if (out.cpu_limit_m) out.cpu_limit_m += cpu;
  if (out.memory_limit) out.memory_limit += memory;
  return out;
}

std::string huge_page_size(std::string_view suffix) {
  std::string out(suffix);
  if (out.ends_with("i")) out.back() = 'B';
  return out;
}

MsgValue runtime_resources(const json::Value& container, Qos qos, int64_t node_memory, bool critical,
                           const std::map<std::string, std::string>& files) {
  auto a = container_amounts(container);
  auto v = MsgValue::map({{"cpu_shares", cpu_shares(a.cpu_request_m)},
                          {"oom_score_adj", oom_score_adj(qos, a.memory_request, node_memory, critical)}});
  if (a.cpu_limit_m > 0) {
    v.set("cpu_quota_us", cpu_quota_us(a.cpu_limit_m));
    v.set("cpu_period_us", kQuotaPeriodUs);
  }
  if (a.memory_limit > 0) v.set("memory_bytes", a.memory_limit);
  auto huge = MsgValue::map();
  for (const auto& [name, value] : container["resources"]["limits"].members()) {
    if (!std::string_view(name).starts_with("hugepages-")) continue;
    if (auto q = Quantity::parse(value.str()); q.ok()) huge.set(huge_page_size(std::string_view(name).substr(10)), q->value());
  }
  if (!huge.members().empty()) v.set("hugepages", std::move(huge));
  if (!files.empty()) {
    auto unified = MsgValue::map();
    for (const auto& [file, text] : files) unified.set(file, text);
    v.set("unified", std::move(unified));
  }
  return v;
}

}  // namespace lotse::agent
