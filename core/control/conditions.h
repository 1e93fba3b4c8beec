// status.conditions as Kubernetes' API conventions have them.
#pragma once
#include <string_view>

#include "core/base/clock.h"
#include "core/object/json.h"

namespace lotse::control {

const json::Value* find_condition(const json::Value& status, std::string_view type);
// {type, status, reason, message} with lastTransitionTime, which stays if the status stays. True if something changed.
// with_update_time: a lastUpdateTime as deployments have it.
bool set_condition(json::Value* status, std::string_view type, std::string_view value, std::string_view reason,
                   std::string_view message, WallTime now, bool with_update_time = false);
bool remove_condition(json::Value* status, std::string_view type);

}  // namespace lotse::control
