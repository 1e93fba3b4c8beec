#include "core/api/resource_amounts.h"

namespace lotse::api {
namespace {

Amounts larger(Amounts a, const Amounts& b) {
  for (const auto& [name, amount] : b) {
    const auto [at, added] = a.emplace(name, amount);
    if (!added && at->second.compare(amount) < 0) at->second = amount;
  }
  return a;
}

Amounts of_containers(const json::Value& spec, std::string_view which) {
  Amounts all, sidecars, largest;
  for (const auto& c : spec["containers"].items()) all = plus(std::move(all), amounts_of(c["resources"][which]));
  for (const auto& c : spec["initContainers"].items()) {
    const Amounts own = amounts_of(c["resources"][which]);
    if (c["restartPolicy"].str() == "Always") {
      all = plus(std::move(all), own);
      sidecars = plus(std::move(sidecars), own);
      largest = larger(std::move(largest), sidecars);
    } else {
      largest = larger(std::move(largest), plus(sidecars, own));
    }
  }
  return larger(std::move(all), largest);
}

Amounts of_pod(const json::Value& pod, std::string_view which, bool only_known) {
  const json::Value& spec = pod["spec"];
  Amounts all = of_containers(spec, which);
  for (const auto& [name, amount] : amounts_of(spec["resources"][which])) {
    if (name == "cpu" || name == "memory" || name.starts_with("hugepages-")) all[name] = amount;
  }
  for (const auto& [name, amount] : amounts_of(spec["overhead"])) {
    if (!only_known || all.contains(name)) all[name] = all.contains(name) ? all[name] + amount : amount;
  }
  return all;
}

}  // namespace

Amounts amounts_of(const json::Value& map) {
  Amounts out;
  for (const auto& [name, value] : map.members()) {
    const auto amount = Quantity::parse(value.is_string() ? value.str() : value.number_text());
    if (amount.ok()) out.emplace(name, *amount);
  }
  return out;
}

json::Value amounts_value(const Amounts& amounts) {
  json::Value out = json::Value::object();
  for (const auto& [name, amount] : amounts) out.set(name, amount.canonical());
  return out;
}

std::string amounts_text(const Amounts& amounts) {
  std::string text;
  for (const auto& [name, amount] : amounts) text += (text.empty() ? "" : ",") + name + "=" + amount.canonical();
  return text;
}

Amounts plus(Amounts a, const Amounts& b) {
  for (const auto& [name, amount] : b) {
    const auto [at, added] = a.emplace(name, amount);
    if (!added) at->second = at->second + amount;
  }
  return a;
}

Amounts minus(Amounts a, const Amounts& b) {
  for (const auto& [name, amount] : b) a[name] = a[name] - amount;
  return a;
}

Quantity whole_number(int64_t n) { return *Quantity::parse(std::to_string(n)); }

Amounts pod_requests(const json::Value& pod) { return of_pod(pod, "requests", false); }
Amounts pod_limits(const json::Value& pod) { return of_pod(pod, "limits", true); }

}  // namespace lotse::api
