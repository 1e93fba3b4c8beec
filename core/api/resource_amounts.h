// Amounts of resources by name ("requests.cpu", "pods"), as ResourceQuota and LimitRange count them.
#pragma once
#include <map>
#include <string>

#include "core/object/json.h"
#include "core/object/quantity.h"

namespace lotse::api {

using Amounts = std::map<std::string, Quantity, std::less<>>;

Amounts amounts_of(const json::Value& map);  // what is no quantity is left out
json::Value amounts_value(const Amounts& amounts);
std::string amounts_text(const Amounts& amounts);  // cpu=1,memory=1Gi
Amounts plus(Amounts a, const Amounts& b);
Amounts minus(Amounts a, const Amounts& b);
Quantity whole_number(int64_t n);

// What a pod asks for or is held to as a whole: containers, sidecars, the largest of the init containers, overhead, or what it says itself.
Amounts pod_requests(const json::Value& pod);
Amounts pod_limits(const json::Value& pod);

}  // namespace lotse::api
