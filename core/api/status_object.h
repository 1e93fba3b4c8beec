// The object of kind Status: what went wrong, or that all went well, as clients of Kubernetes read it.
#pragma once
#include "core/base/status.h"
#include "core/object/json.h"

namespace lotse::api {

json::Value status_value(const Status& status);
Status status_from_value(const json::Value& value, int http_status);
// {"kind":"Status","status":"Success","details":{...}}: the answer to a delete.
json::Value success_value(std::string_view group, std::string_view resource, std::string_view name, std::string_view uid);

}  // namespace lotse::api
