// What a pod asks for, summed up as the scheduler and the kubelet reckon.
#pragma once
#include <map>
#include <string>

#include "core/object/json.h"

namespace lotse::sched {

// cpu in thousandths, all else in whole units.
int64_t amount(std::string_view resource, const json::Value& quantity);
// Containers together, or the greatest init container with the sidecars before it, whichever is more; plus overhead.
std::map<std::string, int64_t> pod_requests(const json::Value& spec);

}  // namespace lotse::sched
