#include "core/control/conditions.h"

#include <algorithm>

namespace lotse::control {

const json::Value* find_condition(const json::Value& status, std::string_view type) {
  for (const json::Value& c : status["conditions"].items())
    if (c["type"].str() == type) return &c;
  return nullptr;
}

bool set_condition(json::Value* status, std::string_view type, std::string_view value, std::string_view reason,
                   std::string_view message, WallTime now, bool with_update_time) {
  const json::Value* old = find_condition(*status, type);
  if (old && (*old)["status"].str() == value && (*old)["reason"].str() == reason && (*old)["message"].str() == message)
    return false;
  const std::string time = format_time(now);
  json::Value made = json::Value::object({{"type", type}, {"status", value}, {"reason", reason}, {"message", message}});
  made.set("lastTransitionTime",
           old && (*old)["status"].str() == value ? (*old)["lastTransitionTime"] : json::Value(time));
  if (with_update_time) made.set("lastUpdateTime", time);
  json::Value& all = (*status)["conditions"];
  for (json::Value& c : all.array_items())
    if (std::as_const(c)["type"].str() == type) {
      c = std::move(made);
      return true;
    }
  all.push(std::move(made));
  return true;
}

bool remove_condition(json::Value* status, std::string_view type) {
  if (!find_condition(*status, type)) return false;
  auto& all = (*status)["conditions"].array_items();
  std::erase_if(all, [&](const json::Value& c) { return c["type"].str() == type; });
  if (all.empty()) status->erase("conditions");
  return true;
}

}  // namespace lotse::control
