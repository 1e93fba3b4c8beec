#include "core/control/endpointslice/endpointslice.h"

#include <algorithm>
#include <map>

#include "core/control/action.h"
#include "core/control/addresses.h"
#include "core/control/service_pods.h"

namespace lotse::control {
namespace {
using json::Value;
constexpr size_t kEndpointsMax = 100;
constexpr const char* kManagedBy = "endpointslice.kubernetes.io/managed-by";
constexpr const char* kManager = "endpointslice-controller.k8s.io";
constexpr const char* kHeadless = "service.kubernetes.io/headless";

// Slices of one address type and one list of ports.
struct Bucket {
  Value ports = Value::array();
  std::map<std::string, Value> wanted;  // by the pod's uid
};
struct Slice {
  ObjectPtr object;
  Value value;
  bool changed = false;
};

struct Step {
  const View& view;
  ObjectPtr service;
  const Value v;
  Outcome out;
  size_t kept = 0;  // slices that are there in the end

  void run();
  void reconcile_type(const char* type, bool v6, const std::vector<ServicePod>& pods,
                      const std::vector<ObjectPtr>& slices);
  void fill(const char* type, Bucket& bucket, std::vector<Slice> slices);
  void make(const char* type, const Value& ports, std::vector<Value> endpoints);
  void write(Slice& slice);
  Value labels() const;
  Value endpoint(const ServicePod& pod, const std::string& ip) const;
};

Value Step::labels() const {
  Value out = Value::object();
  for (const auto& [key, value] : v["metadata"]["labels"].members())
    if (key != kServiceNameLabel && key != kManagedBy && key != kHeadless) out.set(key, value);
  out.set(kServiceNameLabel, service->header().name).set(kManagedBy, kManager);
  if (v["spec"]["clusterIP"].str() == "None") out.set(kHeadless, "");
  return out;
}

Value Step::endpoint(const ServicePod& pod, const std::string& ip) const {
  const bool publish = v["spec"]["publishNotReadyAddresses"].boolean();
  Value e = Value::object({{"addresses", Value::array({ip})}, {"targetRef", target_ref(*pod.object)}});
  e.set("conditions", Value::object({{"ready", publish || (pod.ready && !pod.terminating)},
                                     {"serving", pod.ready},
                                     {"terminating", pod.terminating}}));
  if (!pod.node.empty()) {
    e.set("nodeName", pod.node);
    ObjectPtr node = view.get(kNodes.name(), "", pod.node);
    std::string_view zone = node ? node->header().label("topology.kubernetes.io/zone") : std::string_view();
    if (!zone.empty()) e.set("zone", zone);
  }
  if (!pod.hostname.empty()) e.set("hostname", pod.hostname);
  return e;
}

Value ports_of(const std::vector<ServicePort>& ports) {
  Value out = Value::array();
  for (const ServicePort& p : ports) {
    Value& port = out.push(Value::object({{"name", p.name}, {"port", p.port}, {"protocol", p.protocol}}));
    if (!p.app_protocol.empty()) port.set("appProtocol", p.app_protocol);
  }
  return out;
}

void Step::make(const char* type, const Value& ports, std::vector<Value> endpoints) {
  Value s;
  s["metadata"].set("generateName", service->header().name + "-").set("labels", labels());
  s["metadata"].set("ownerReferences", Value::array({controller_ref(kServices, *service)}));
  s.set("addressType", type).set("ports", ports).set("endpoints", Value::array(std::move(endpoints)));
  out.actions.push_back(create(kEndpointSlices, service->header().ns, std::move(s)));
  ++kept;
}

void Step::write(Slice& slice) {
  Value wanted = labels();
  if (std::as_const(slice.value)["metadata"]["labels"] != wanted) {
    slice.value["metadata"].set("labels", std::move(wanted));
    slice.changed = true;
  }
  ++kept;
  if (slice.changed) out.actions.push_back(update(kEndpointSlices, slice.value));
}

void Step::fill(const char* type, Bucket& bucket, std::vector<Slice> slices) {
  for (Slice& s : slices) {
    Value stay = Value::array();
    for (const Value& e : std::as_const(s.value)["endpoints"].items()) {
      auto it = bucket.wanted.find(std::string(e["targetRef"]["uid"].str()));
      if (it == bucket.wanted.end()) {
        s.changed = true;
        continue;
      }
      if (!(it->second == e)) s.changed = true;
      stay.push(std::move(it->second));
      bucket.wanted.erase(it);
    }
    if (s.changed) s.value.set("endpoints", std::move(stay));
  }
  // What is new goes first where something is written anyway, then where it fits best, then into slices of its own.
  std::vector<Value> rest;
  for (auto& [uid, e] : bucket.wanted) rest.push_back(std::move(e));
  auto count = [](const Slice& s) { return std::as_const(s.value)["endpoints"].size(); };
  std::stable_sort(slices.begin(), slices.end(), [&](const Slice& a, const Slice& b) {
    return a.changed != b.changed ? a.changed : count(a) > count(b);
  });
  for (Slice& s : slices) {
    if (!s.changed && count(s) + rest.size() > kEndpointsMax) continue;
    while (!rest.empty() && count(s) < kEndpointsMax) {
      s.value["endpoints"].push(std::move(rest.back()));
      rest.pop_back();
      s.changed = true;
    }
  }
  while (!rest.empty()) {
    size_t n = std::min(rest.size(), kEndpointsMax);
    make(type, bucket.ports,
         {std::make_move_iterator(rest.end() - static_cast<long>(n)), std::make_move_iterator(rest.end())});
    rest.resize(rest.size() - n);
  }
  for (Slice& s : slices) {
    if (count(s) > 0)
      write(s);
    else if (s.changed || kept > 0)
      out.actions.push_back(remove(kEndpointSlices, *s.object));
    else
      write(s);  // an empty one stays as a sign that somebody looks after this Service
  }
}

void Step::reconcile_type(const char* type, bool v6, const std::vector<ServicePod>& pods,
                          const std::vector<ObjectPtr>& existing) {
  std::map<std::string, Bucket> buckets;
  for (const ServicePod& pod : pods) {
    auto ip = std::find_if(pod.ips.begin(), pod.ips.end(), [&](auto& i) { return is_v6(i) == v6; });
    if (ip == pod.ips.end()) continue;
    Value ports = ports_of(pod.ports);
    Bucket& b = buckets[json::write(ports)];
    b.ports = std::move(ports);
    b.wanted[pod.object->header().uid] = endpoint(pod, *ip);
  }
  std::map<std::string, std::vector<Slice>> slices;
  for (const ObjectPtr& o : existing) {
    Value s = o->value();
    if (std::as_const(s)["addressType"].str() != type) continue;
    std::string ports = json::write(std::as_const(s)["ports"].is_array() ? std::as_const(s)["ports"] : Value::array());
    slices[ports].push_back({o, std::move(s), false});
  }
  const size_t before = kept;
  for (auto& [key, bucket] : buckets) {
    fill(type, bucket, std::move(slices[key]));
    slices.erase(key);
  }
  for (auto& [key, rest] : slices)
    for (Slice& s : rest) {
      const bool placeholder =
          kept == before && std::as_const(s.value)["endpoints"].empty() && std::as_const(s.value)["ports"].empty();
      if (placeholder)
        write(s);
      else
        out.actions.push_back(remove(kEndpointSlices, *s.object));
    }
  if (kept == before) make(type, Value::array(), {});
}

void Step::run() {
  std::vector<ObjectPtr> slices;
  std::string wanted(kServiceNameLabel);  // appended: g++ 12 sees an overrun in a chain of + at -O2
  wanted.append("=").append(service->header().name).append(",").append(kManagedBy).append("=").append(kManager);
  auto selector = LabelSelector::parse(wanted);
  for (const ObjectPtr& s : view.list(kEndpointSlices.name(), service->header().ns, *selector))
    if (s->header().deletion == WallTime{}) slices.push_back(s);
  std::vector<ServicePod> pods = pods_of_service(*service, v, view);
  std::vector<std::string_view> families;
  for (const Value& f : v["spec"]["ipFamilies"].items()) families.push_back(f.str());
  if (families.empty()) families = {"IPv4"};
  for (std::string_view f : families) reconcile_type(f == "IPv6" ? "IPv6" : "IPv4", f == "IPv6", pods, slices);
  for (const ObjectPtr& s : slices) {
    const Value value = s->value();
    if (std::count(families.begin(), families.end(), value["addressType"].str()) == 0)
      out.actions.push_back(remove(kEndpointSlices, *s));
  }
}
}  // namespace

std::vector<store::ResourceName> EndpointSliceController::resources() const {
  return {kServices.name(), kPods.name(), kEndpointSlices.name()};
}

std::vector<std::string> EndpointSliceController::keys(const store::Event& event, const View& view) {
  if (event.key.resource == kPods.name()) return services_of_pod(event, view);
  if (event.key.resource == kServices.name()) return {key_of(event.key)};
  if (event.object->header().label(kManagedBy) != kManager) return {};
  std::string_view service = event.object->header().label(kServiceNameLabel);
  if (service.empty()) return {};
  return {event.key.ns + "/" + std::string(service)};
}

Outcome EndpointSliceController::reconcile(const std::string& key, const View& view, WallTime) {
  auto [ns, name] = split_key(key);
  ObjectPtr service = view.get(kServices.name(), ns, name);
  if (!service || service->header().deletion != WallTime{}) return {};  // the slices are owned by it
  Step step{view, service, service->value(), {}, 0};
  if (!has_endpoints(step.v)) return {};
  step.run();
  return std::move(step.out);
}

}  // namespace lotse::control
