#include "core/sched/form.h"

#include <algorithm>

#include "core/object/cursor.h"
#include "core/sched/quantities.h"

namespace lotse::sched {
namespace {
lotse_bytes bytes(std::string_view s) {
  return {s.data(), s.size()};
}

uint32_t effect_of(std::string_view text) {
  if (text == "NoSchedule") return LOTSE_NO_SCHEDULE;
  if (text == "PreferNoSchedule") return LOTSE_PREFER_NO_SCHEDULE;
  return text == "NoExecute" ? LOTSE_NO_EXECUTE : 0;
}

uint32_t op_of(std::string_view text) {
  static constexpr std::pair<std::string_view, uint32_t> kOps[] = {
      {"In", LOTSE_OP_IN},         {"NotIn", LOTSE_OP_NOT_IN},
      {"Exists", LOTSE_OP_EXISTS}, {"DoesNotExist", LOTSE_OP_DOES_NOT_EXIST},
      {"Gt", LOTSE_OP_GT},         {"Lt", LOTSE_OP_LT}};
  for (const auto& [name, op] : kOps)
    if (name == text) return op;
  return 0;
}

uint8_t protocol_of(std::string_view text) {
  return text == "UDP" ? 17 : text == "SCTP" ? 132 : 6;
}
}  // namespace

template <class T>
const T* PodForm::keep(std::vector<T> items) {
  if (items.empty()) return nullptr;
  auto kept = std::make_shared<std::vector<T>>(std::move(items));
  memory_.push_back(kept);
  return kept->data();
}

lotse_bytes PodForm::keep_text(std::string text) {
  auto kept = std::make_shared<std::string>(std::move(text));
  memory_.push_back(kept);
  return bytes(*kept);
}

PodForm::PodForm(ObjectPtr pod, const SelectNamespaces& namespaces)
    : object_(std::move(pod)), value_(object_->value()) {
  const ObjectHeader& h = object_->header();
  const json::Value& spec = value_["spec"];
  raw_.size = sizeof raw_;
  raw_.priority = static_cast<int32_t>(spec["priority"].integer());
  raw_.uid = bytes(h.uid), raw_.ns = bytes(h.ns), raw_.name = bytes(h.name), raw_.node = bytes(h.node_name);
  raw_.nominated = bytes(nominated());
  if (const OwnerRef* owner = h.controller()) raw_.owner_uid = bytes(owner->uid);
  raw_.labels = pairs(value_["metadata"]["labels"], &raw_.label_count);
  raw_.node_selector = pairs(spec["nodeSelector"], &raw_.node_selector_count);
  raw_.never_preempts = spec["preemptionPolicy"].str() == "Never";
  raw_.terminating = h.deletion != WallTime{};
  if (auto started = parse_time(value_["status"]["startTime"].str()); started.ok())
    raw_.start_unix_ns = started->time_since_epoch().count();
  read_requests();
  read_node_affinity(spec["affinity"]["nodeAffinity"]);
  read_tolerations();
  read_containers();
  raw_.affinity = pod_terms(spec["affinity"]["podAffinity"], namespaces, &raw_.affinity_count);
  raw_.anti_affinity = pod_terms(spec["affinity"]["podAntiAffinity"], namespaces, &raw_.anti_affinity_count);
  read_spread();
}

lotse_sched_pod PodForm::on(const std::string& node) const {
  lotse_sched_pod copy = raw_;
  copy.node = bytes(node);
  return copy;
}

const lotse_pair* PodForm::pairs(const json::Value& map, size_t* count) {
  std::vector<lotse_pair> out;
  for (const auto& [key, value] : map.members()) out.push_back({bytes(key), bytes(value.str())});
  *count = out.size();
  return keep(std::move(out));
}

void PodForm::read_requests() {
  std::vector<lotse_quantity> out;
  for (const auto& [resource, n] : pod_requests(value_["spec"])) out.push_back({keep_text(resource), n});
  raw_.request_count = out.size();
  raw_.requests = keep(std::move(out));
}

lotse_term PodForm::node_term(const json::Value& term, int32_t weight) {
  std::vector<lotse_requirement> out;
  for (const char* list : {"matchExpressions", "matchFields"})
    for (const json::Value& r : term[list].items()) {
      std::vector<lotse_bytes> values;
      for (const json::Value& v : r["values"].items()) values.push_back(bytes(v.str()));
      size_t n = values.size();
      out.push_back(
          {bytes(r["key"].str()), op_of(r["operator"].str()), list[5] == 'F' ? 1u : 0u, keep(std::move(values)), n});
    }
  size_t n = out.size();
  return {keep(std::move(out)), n, weight, 0};
}

void PodForm::read_node_affinity(const json::Value& affinity) {
  const json::Value& required = affinity["requiredDuringSchedulingIgnoredDuringExecution"];
  raw_.node_required_set = !required.is_null();
  std::vector<lotse_term> terms, preferred;
  for (const json::Value& t : required["nodeSelectorTerms"].items()) terms.push_back(node_term(t, 0));
  for (const json::Value& p : affinity["preferredDuringSchedulingIgnoredDuringExecution"].items())
    preferred.push_back(node_term(p["preference"], static_cast<int32_t>(p["weight"].integer())));
  raw_.node_required_count = terms.size(), raw_.node_required = keep(std::move(terms));
  raw_.node_preferred_count = preferred.size(), raw_.node_preferred = keep(std::move(preferred));
}

void PodForm::read_tolerations() {
  std::vector<lotse_toleration> out;
  for (const json::Value& t : value_["spec"]["tolerations"].items())
    out.push_back({bytes(t["key"].str()), bytes(t["value"].str()), t["operator"].str() == "Exists",
                   effect_of(t["effect"].str())});
  raw_.toleration_count = out.size();
  raw_.tolerations = keep(std::move(out));
}

void PodForm::read_containers() {
  std::vector<lotse_host_port> ports;
  std::vector<lotse_bytes> images;
  for (const char* list : {"containers", "initContainers"})
    for (const json::Value& c : value_["spec"][list].items()) {
      const bool init = list[0] == 'i', sidecar = c["restartPolicy"].str() == "Always";
      // Short names carry the tag that the node reports too.
      std::string image(c["image"].str());
      const size_t name = image.rfind('/') == std::string::npos ? 0 : image.rfind('/');
      if (image.find_first_of(":@", name) == std::string::npos) image += ":latest";
      images.push_back(keep_text(std::move(image)));
      if (init && !sidecar) continue;
      for (const json::Value& p : c["ports"].items())
        if (int64_t port = p["hostPort"].integer(); port > 0)
          ports.push_back(
              {bytes(p["hostIP"].str()), static_cast<uint16_t>(port), protocol_of(p["protocol"].str("TCP")), {}});
    }
  raw_.host_port_count = ports.size(), raw_.host_ports = keep(std::move(ports));
  raw_.image_count = images.size(), raw_.images = keep(std::move(images));
}

lotse_term PodForm::requirements(const json::Value& selector, const json::Value& match_label_keys) {
  std::vector<lotse_requirement> out;
  auto add = [&](lotse_bytes key, uint32_t op, std::vector<lotse_bytes> values) {
    size_t n = values.size();
    out.push_back({key, op, 0, keep(std::move(values)), n});
  };
  for (const auto& [key, value] : selector["matchLabels"].members()) add(bytes(key), LOTSE_OP_IN, {bytes(value.str())});
  for (const json::Value& r : selector["matchExpressions"].items()) {
    std::vector<lotse_bytes> values;
    for (const json::Value& v : r["values"].items()) values.push_back(bytes(v.str()));
    add(bytes(r["key"].str()), op_of(r["operator"].str()), std::move(values));
  }
  for (const json::Value& key : match_label_keys.items())
    if (const json::Value* own = value_["metadata"]["labels"].find(key.str()))
      add(bytes(key.str()), LOTSE_OP_IN, {bytes(own->str())});
  size_t n = out.size();
  return {keep(std::move(out)), n, 0, 0};
}

lotse_pod_term PodForm::pod_term(const json::Value& term, int32_t weight, const SelectNamespaces& namespaces) {
  lotse_pod_term out{};
  out.selector = requirements(term["labelSelector"], json::Value());
  out.selector_set = !term["labelSelector"].is_null();
  out.weight = weight;
  out.topology_key = bytes(term["topologyKey"].str());
  std::vector<lotse_bytes> names;
  for (const json::Value& ns : term["namespaces"].items()) names.push_back(bytes(ns.str()));
  if (!term["namespaceSelector"].is_null()) {
    selects_namespaces_ = true;
    if (auto selector = LabelSelector::from_value(term["namespaceSelector"]); selector.ok())
      for (std::string& ns : namespaces(*selector)) names.push_back(keep_text(std::move(ns)));
    if (names.empty()) names.push_back(keep_text("\x01"));  // selects no namespace; "none" would mean the pod's own
  }
  out.namespace_count = names.size();
  out.namespaces = keep(std::move(names));
  return out;
}

const lotse_pod_term* PodForm::pod_terms(const json::Value& affinity, const SelectNamespaces& namespaces,
                                         size_t* count) {
  std::vector<lotse_pod_term> out;
  for (const json::Value& t : affinity["requiredDuringSchedulingIgnoredDuringExecution"].items())
    out.push_back(pod_term(t, 0, namespaces));
  for (const json::Value& p : affinity["preferredDuringSchedulingIgnoredDuringExecution"].items())
    out.push_back(pod_term(p["podAffinityTerm"], static_cast<int32_t>(p["weight"].integer()), namespaces));
  *count = out.size();
  return keep(std::move(out));
}

void PodForm::read_spread() {
  std::vector<lotse_spread> out;
  for (const json::Value& c : value_["spec"]["topologySpreadConstraints"].items()) {
    lotse_spread s{};
    s.topology_key = bytes(c["topologyKey"].str());
    s.selector = requirements(c["labelSelector"], c["matchLabelKeys"]);
    s.selector_set = !c["labelSelector"].is_null();
    s.max_skew = static_cast<int32_t>(c["maxSkew"].integer(1));
    s.min_domains = static_cast<int32_t>(c["minDomains"].integer());
    s.required = c["whenUnsatisfiable"].str("DoNotSchedule") == "DoNotSchedule";
    s.honor_affinity = c["nodeAffinityPolicy"].str("Honor") == "Honor";
    s.honor_taints = c["nodeTaintsPolicy"].str("Ignore") == "Honor";
    out.push_back(s);
  }
  raw_.spread_count = out.size();
  raw_.spread = keep(std::move(out));
}

NodeForm::NodeForm(const Object& node) : value_(node.value()) {
  raw_.size = sizeof raw_;
  raw_.name = bytes(value_["metadata"]["name"].str());
  raw_.unschedulable = value_["spec"]["unschedulable"].boolean();
  for (const auto& [key, value] : value_["metadata"]["labels"].members())
    labels_.push_back({bytes(key), bytes(value.str())});
  for (const json::Value& t : value_["spec"]["taints"].items())
    taints_.push_back({bytes(t["key"].str()), bytes(t["value"].str()), effect_of(t["effect"].str()), 0});
  const json::Value& has =
      value_["status"]["allocatable"].is_null() ? value_["status"]["capacity"] : value_["status"]["allocatable"];
  for (const auto& [resource, quantity] : has.members())
    allocatable_.push_back({bytes(resource), amount(resource, quantity)});
  for (const json::Value& image : value_["status"]["images"].items())
    for (const json::Value& name : image["names"].items())
      images_.push_back({bytes(name.str()), image["sizeBytes"].integer()});
  raw_.labels = labels_.data(), raw_.label_count = labels_.size();
  raw_.taints = taints_.data(), raw_.taint_count = taints_.size();
  raw_.allocatable = allocatable_.data(), raw_.allocatable_count = allocatable_.size();
  raw_.images = images_.data(), raw_.image_count = images_.size();
}

bool node_matters(const Object& before, const Object& after) {
  if (before.header().labels != after.header().labels) return true;
  for (const char* path : {"spec", "status.allocatable", "status.images"})
    if (find_raw(before.bytes(), path) != find_raw(after.bytes(), path)) return true;
  return false;
}

bool pod_matters(const Object& before, const Object& after) {
  const ObjectHeader &a = before.header(), &b = after.header();
  return a.uid != b.uid || a.labels != b.labels || a.node_name != b.node_name || a.deletion != b.deletion ||
         finished(before) != finished(after) || find_raw(before.bytes(), "spec") != find_raw(after.bytes(), "spec") ||
         find_raw(before.bytes(), "status.startTime") != find_raw(after.bytes(), "status.startTime") ||
         find_raw(before.bytes(), "status.nominatedNodeName") != find_raw(after.bytes(), "status.nominatedNodeName");
}

bool finished(const Object& pod) {
  std::string_view phase = find_raw(pod.bytes(), "status.phase");
  return phase == "\"Succeeded\"" || phase == "\"Failed\"";
}

}  // namespace lotse::sched
