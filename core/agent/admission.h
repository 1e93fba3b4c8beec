// Whether a pod that was bound to this node can run here at all: the last word is the node's, as the scheduler may have
// looked at something older. Pure.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/object/json.h"

namespace lotse::agent {

struct Rejection {
  std::string reason, message;  // "OutOfcpu", "OutOfpods", "NodeAffinity", "NodePorts"
};

// What a pod takes of its node.
struct PodClaims {
  std::map<std::string, int64_t> requests;  // cpu in thousandths
  std::set<std::string> host_ports;
};
PodClaims claims_of(const json::Value& pod);

struct AdmissionInput {
  const json::Value& pod;
  const std::vector<const PodClaims*>& others;  // those that hold resources here
  const json::Value& node;                 // null: not read yet, labels are not looked at
  const std::map<std::string, std::string>& allocatable;
  int pods_max = 110;
};
std::optional<Rejection> admit_pod(const AdmissionInput& in);

}  // namespace lotse::agent
