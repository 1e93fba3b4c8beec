// A pod's quality of service class, as Kubernetes derives it from requests and limits of cpu and memory.
#pragma once
#include <string_view>

#include "core/object/json.h"

namespace lotse::schema {

std::string_view qos_class(const json::Value& pod);  // "Guaranteed", "Burstable" or "BestEffort"

}  // namespace lotse::schema
