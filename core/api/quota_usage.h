// What an object uses of a ResourceQuota, a kind at a time. Shared by the admission of writes and the controller that counts anew.
#pragma once
#include "core/api/resource_amounts.h"
#include "core/base/clock.h"
#include "core/base/status.h"
#include "core/schema/schema.h"

namespace lotse::api {

// Of the names in a quota, those that objects of this resource ("pods", "deployments.apps") can use.
bool counted_for(std::string_view stored, std::string_view name);
Amounts quota_usage(std::string_view stored, const json::Value& object, WallTime now);
// Whether a quota is about this object: it names something the resource can use, and its scopes fit.
bool quota_matches(const json::Value& quota, const json::Value& hard, std::string_view stored, const json::Value& object);
// Quotas of cpu or memory want every container to say what it needs: a sentence, empty if all do.
std::string missing_for_quota(std::string_view stored, const Amounts& hard, const json::Value& object);
// Only what `names` has.
Amounts masked(const Amounts& amounts, const Amounts& names);

}  // namespace lotse::api
