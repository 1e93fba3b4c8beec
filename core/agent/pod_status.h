// What is reported of a pod: its phase, conditions and container statuses, computed from the state alone.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/agent/pod_state.h"
#include "core/object/json.h"

namespace lotse::agent {

std::string_view phase_of(const PodState& state);  // "Pending", "Running", "Succeeded", "Failed"

struct StatusStyle {
  std::string runtime = "containerd";  // what container ids begin with
  bool what_was_asked = true;          // with resources and mounts of the containers
};

// The whole status as it should be. `pod` is the document as last seen: conditions of others are kept, and so are the
// times of conditions that have not changed.
json::Value make_status(const PodState& state, const json::Value& pod, const std::vector<std::string>& host_ips,
                        WallTime now, const StatusStyle& style = {});

// The strategic merge patch from what the document says to `status`; null if nothing differs.
json::Value status_patch(const json::Value& pod, const json::Value& status);

}  // namespace lotse::agent
