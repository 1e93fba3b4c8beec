#include "core/schema/defaults.h"

namespace lotse::schema {
namespace {

using json::Value;

constexpr std::string_view kContainerLists[] = {"initContainers", "containers", "ephemeralContainers"};

template <class F>
void each_item(Value* object, std::string_view list, F f) {
  Value* v = object->find(list);
  if (!v || !v->is_array() || v->empty()) return;
  for (Value& item : v->array_items()) {
    if (item.is_object()) f(&item);
  }
}

// A limit without a request is the request.
void default_requests(Value* container) {
  Value* resources = part(container, "resources");
  if (!resources || get(*resources, "limits").empty()) return;
  const Value limits = get(*resources, "limits");
  for (const auto& [name, limit] : limits.members()) fill(&(*resources)["requests"], name, limit);
}

void default_host_ports(Value* container) {
  each_item(container, "ports", [](Value* port) {
    if (get(*port, "hostPort").integer() == 0 && port->has("containerPort"))
      port->set("hostPort", Value(get(*port, "containerPort")));
  });
}

void default_volume(Value* volume) {
  bool has_source = false;
  for (const auto& [key, value] : volume->members()) has_source |= key != "name" && !value.is_null();
  if (!has_source) volume->set("emptyDir", Value::object());
  if (Value* image = part(volume, "image"); image && !get(*image, "reference").str().empty()) {
    fill(image, "pullPolicy", default_pull_policy(get(*image, "reference").str()));
  }
}

}  // namespace

std::string_view default_pull_policy(std::string_view image) {
  const size_t at = image.find('@');
  const bool digest = at != image.npos;
  image = image.substr(0, at);
  const size_t slash = image.rfind('/'), colon = image.rfind(':');
  const bool tagged = colon != image.npos && (slash == image.npos || colon > slash);
  if (tagged ? image.substr(colon + 1) == "latest" : !digest) return "Always";
  return "IfNotPresent";
}

void default_pod(Value* pod) {
  Value* spec = part(pod, "spec");
  if (!spec) return;
  for (std::string_view list : kContainerLists) {
    if (list != "ephemeralContainers") each_item(spec, list, default_requests);
  }
  if (spec->has("resources")) default_requests(spec);
  fill(spec, "enableServiceLinks", true);
  if (get(*spec, "hostNetwork").boolean()) {
    each_item(spec, "containers", default_host_ports);
    each_item(spec, "initContainers", default_host_ports);
  }
}

void default_pod_spec(Value* spec) {
  if (!spec->is_object()) return;
  for (std::string_view list : kContainerLists) {
    each_item(spec, list, [](Value* container) {
      if (get(*container, "imagePullPolicy").str().empty()) {
        container->set("imagePullPolicy", default_pull_policy(get(*container, "image").str()));
      }
    });
  }
  each_item(spec, "volumes", default_volume);
  // serviceAccount is the old name of serviceAccountName; both are always shown.
  std::string account(get(*spec, "serviceAccountName").str());
  if (account.empty()) account = get(*spec, "serviceAccount").str();
  if (!account.empty()) spec->set("serviceAccountName", account).set("serviceAccount", account);
}

}  // namespace lotse::schema
