// What nodes and pods use, from two readings of their stats/summary. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/object/object.h"

namespace lotse::ops {

struct Reading {
  json::Value first, second;  // stats/summary; the second is null where the node did not answer
  Duration between{};
  std::string problem;        // why it did not
};

struct Use {
  std::string ns, name, node;
  std::optional<int64_t> cpu_milli;  // nothing: not known
  std::optional<int64_t> memory;     // working set, bytes
  std::optional<int64_t> cpu_of, memory_of;  // nodes: allocatable
  std::string problem;
};

// In the order of their names.
std::vector<Use> use_of_nodes(const std::vector<ObjectPtr>& nodes, const std::map<std::string, Reading>& readings);
// Those that use most processor first; only of `ns`, or of all where it is empty.
std::vector<Use> use_of_pods(const std::map<std::string, Reading>& readings, const std::string& ns);

}  // namespace lotse::ops
