// Whether a pod that was bound to this node can run here at all: the last word is the node's, as the scheduler may have
// looked at something older. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/object/json.h"

namespace lotse::agent {

struct Rejection {
  std::string reason, message;  // "OutOfcpu", "OutOfpods", "NodeAffinity", "NodePorts"
};

struct AdmissionInput {
  const json::Value& pod;
  const std::vector<json::Value>& others;  // those that hold resources here
  const json::Value& node;                 // null: not read yet, labels are not looked at
  const std::map<std::string, std::string>& allocatable;
  int pods_max = 110;
};
std::optional<Rejection> admit_pod(const AdmissionInput& in);

}  // namespace lotse::agent
