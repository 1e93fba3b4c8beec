// The downward API: what a pod may know of itself, for env and for volumes.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/object/json.h"

namespace lotse::agent {

// What is not in the pod's own document.
struct PodFacts {
  std::vector<std::string> host_ips, pod_ips;
  std::map<std::string, std::string> allocatable;  // the node's: what a missing limit means
};

// fieldRef.fieldPath: "metadata.labels['a']", "status.podIP", ...
Result<std::string> field_value(const json::Value& pod, std::string_view path, const PodFacts& facts);
// resourceFieldRef: {containerName, resource, divisor}; `container` is used where it names none.
Result<std::string> resource_value(const json::Value& pod, const json::Value& ref, const json::Value& container,
                                   const PodFacts& facts);
const json::Value& find_container(const json::Value& pod, std::string_view name);  // null value: none

}  // namespace lotse::agent
