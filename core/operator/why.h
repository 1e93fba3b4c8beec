// Why a pod does not run: its way from the API to readiness, step by step, told from objects alone.
//
// Pure: whoever asks brings the objects and the time. Steps that were taken are one line; the first that is not taken tells
// what holds it up, and the scheduler's step tells it node by node, by the very filters of the default policy.
#pragma once
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/object/object.h"

namespace lotse::ops {

// What is known about a pod's surroundings.
struct Surroundings {
  ObjectPtr pod;
  std::vector<ObjectPtr> nodes, pods, namespaces;  // of the whole cluster
  std::vector<json::Value> events;                 // about this pod
};

enum class Taken : uint8_t { kYes, kNo, kFailed };

struct Step {
  std::string name;               // "scheduled", "node", "sandbox", "init containers", "containers", "ready"
  Taken taken = Taken::kNo;
  std::string says;               // a line
  std::vector<std::string> more;  // what holds it up, a line each
};

struct Explanation {
  std::string verdict;  // a sentence: "pod default/web runs and is ready"
  std::vector<Step> steps;
};

Explanation why(const Surroundings& surroundings, WallTime now);

std::string as_text(const Explanation& explanation);
json::Value as_json(const Explanation& explanation);

}  // namespace lotse::ops
