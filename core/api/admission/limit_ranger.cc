// LimitRanger: a namespace's LimitRanges give containers the requests and limits that they do not have, and bound those of containers, pods
// and claims.
#include "core/api/admission.h"
#include "core/api/resource_amounts.h"
#include "core/api/server_impl.h"

namespace lotse::api::admission {
namespace {

constexpr std::string_view kAnnotation = "kubernetes.io/limit-ranger";
constexpr int64_t kMilliMax = INT64_MAX / 1000;

std::vector<json::Value> ranges(const Call& call) {
  std::vector<json::Value> out;
  auto& store = call.server.store();
  if (store.count("limitranges", call.request.ns) == 0) return out;
  store::ListQuery query;
  query.resource = "limitranges";
  query.ns = call.request.ns;
  const auto page = store.list(query);
  if (!page.ok()) return out;
  for (const auto& object : page->items) out.push_back(object->value());
  return out;
}

// Sets what is missing; the names of what was set.
std::string fill(json::Value& container, std::string_view which, const json::Value& defaults) {
  std::string names;
  for (const auto& [name, amount] : defaults.members()) {
    if (std::as_const(container)["resources"][which].has(name)) continue;
    container["resources"][which].set(name, amount);
    names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

void fill_containers(json::Value& spec, std::string_view list, std::string_view prefix, const json::Value& item, std::vector<std::string>* told) {
  json::Value* containers = spec.find(list);
  if (!containers || !containers->is_array()) return;
  for (auto& c : containers->array_items()) {
    const std::string name(std::as_const(c)["name"].str());
    const std::string requests = fill(c, "requests", item["defaultRequest"]), limits = fill(c, "limits", item["default"]);
    if (!requests.empty()) told->push_back(requests + " request for " + std::string(prefix) + " " + name);
    if (!limits.empty()) told->push_back(limits + " limit for " + std::string(prefix) + " " + name);
  }
}

class Checker {
 public:
  void check(const json::Value& item, std::string_view type, const Amounts& requests, const Amounts& limits) {
    for (const auto& [name, least] : amounts_of(item["min"])) minimum(name, type, least, find(requests, name), find(limits, name));
    for (const auto& [name, most] : amounts_of(item["max"])) maximum(name, type, most, find(requests, name), find(limits, name));
    for (const auto& [name, most] : amounts_of(item["maxLimitRequestRatio"])) ratio(name, type, most, find(requests, name), find(limits, name));
  }
  void check_claim(const json::Value& item, const Amounts& requests) {
    for (const auto& [name, least] : amounts_of(item["min"])) minimum(name, "PersistentVolumeClaim", least, find(requests, name), nullptr);
    for (const auto& [name, most] : amounts_of(item["max"])) {
      const Quantity* request = find(requests, name);
      if (request && request->compare(most) > 0) {
        add("maximum " + name + " usage per PersistentVolumeClaim is " + most.canonical() + ", but request is " + request->canonical());
      }
    }
  }
  std::string text() const {
    if (wrong_.size() < 2) return wrong_.empty() ? "" : wrong_[0];
    std::string all;
    for (const auto& w : wrong_) all += (all.empty() ? "[" : ", ") + w;
    return all + "]";
  }

 private:
  static const Quantity* find(const Amounts& amounts, const std::string& name) {
    const auto at = amounts.find(name);
    return at == amounts.end() ? nullptr : &at->second;
  }
  void add(std::string why) {
    if (std::find(wrong_.begin(), wrong_.end(), why) == wrong_.end()) wrong_.push_back(std::move(why));
  }
  void minimum(const std::string& name, std::string_view type, const Quantity& least, const Quantity* request, const Quantity* limit) {
    const std::string what = "minimum " + name + " usage per " + std::string(type) + " is " + least.canonical();
    if (!request) return add(what + ".  No request is specified");
    if (request->compare(least) < 0) return add(what + ", but request is " + request->canonical());
    if (limit && limit->compare(least) < 0) add(what + ", but limit is " + limit->canonical());
  }
  void maximum(const std::string& name, std::string_view type, const Quantity& most, const Quantity* request, const Quantity* limit) {
    const std::string what = "maximum " + name + " usage per " + std::string(type) + " is " + most.canonical();
    if (!limit) return add(what + ".  No limit is specified");
    if (limit->compare(most) > 0) return add(what + ", but limit is " + limit->canonical());
    if (request && request->compare(most) > 0) add(what + ", but request is " + request->canonical());
  }
  void ratio(const std::string& name, std::string_view type, const Quantity& most, const Quantity* request, const Quantity* limit) {
    const std::string what = name + " max limit to request ratio per " + std::string(type) + " is " + most.canonical();
    if (!request || request->is_zero()) return add(what + ", but no request is specified or request is 0");
    if (!limit || limit->is_zero()) return add(what + ", but no limit is specified or limit is 0");
    const bool fine = limit->value() <= kMilliMax && request->value() <= kMilliMax;
    const double given = fine ? static_cast<double>(limit->milli()) / static_cast<double>(request->milli())
                              : static_cast<double>(limit->value()) / static_cast<double>(request->value());
    const double allowed = static_cast<double>(most.milli()) / 1000;
    if (given <= allowed) return;
    add(what + ", but provided ratio is " + std::to_string(given));
  }

  std::vector<std::string> wrong_;
};

void check_pod(Checker& checker, const json::Value& item, const json::Value& pod) {
  const std::string_view type = item["type"].str();
  if (type == "Pod") return checker.check(item, type, pod_requests(pod), pod_limits(pod));
  if (type != "Container") return;
  for (const std::string_view list : {"containers", "initContainers"}) {
    for (const auto& c : pod["spec"][list].items()) {
      checker.check(item, type, amounts_of(c["resources"]["requests"]), amounts_of(c["resources"]["limits"]));
    }
  }
}

}  // namespace

Status limit_ranger_defaults(Admission& a) {
  if (a.verb != Verb::kCreate || !a.is("", "pods") || a.on_subresource()) return {};
  std::vector<std::string> told;
  for (const json::Value& range : ranges(a.call)) {
    for (const auto& item : range["spec"]["limits"].items()) {
      if (item["type"].str() != "Container") continue;
      fill_containers((*a.object)["spec"], "containers", "container", item, &told);
      fill_containers((*a.object)["spec"], "initContainers", "init container", item, &told);
    }
  }
  if (told.empty()) return {};
  std::string text;
  for (const auto& t : told) text += (text.empty() ? "LimitRanger plugin set: " : "; ") + t;
  (*a.object)["metadata"]["annotations"].set(kAnnotation, text);
  return {};
}

Status limit_ranger(Admission& a) {
  const bool pod = a.is("", "pods") && (a.verb == Verb::kCreate ? !a.on_subresource() : a.call.request.subresource == "resize");
  const bool claim = a.is("", "persistentvolumeclaims") && !a.on_subresource();
  if (!a.object || (!pod && !claim)) return {};
  for (const json::Value& range : ranges(a.call)) {
    Checker checker;
    for (const auto& item : range["spec"]["limits"].items()) {
      if (pod) check_pod(checker, item, std::as_const(*a.object));
      if (claim && item["type"].str() == "PersistentVolumeClaim") {
        checker.check_claim(item, amounts_of(std::as_const(*a.object)["spec"]["resources"]["requests"]));
      }
    }
    if (const std::string why = checker.text(); !why.empty()) return forbidden(a.call, a.name, why);
  }
  return {};
}

}  // namespace lotse::api::admission
