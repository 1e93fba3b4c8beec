// Server-side apply: a PATCH whose document says what its author wants to be so, and nothing about the rest.
#pragma once
#include "core/api/call.h"

namespace lotse::api {

bool is_apply_patch(const Request& request);  // by Content-Type
// The document, checked to be a configuration of that kind for the object that the request names.
Result<json::Value> read_applied(const Call& call, std::string_view api_version, std::string_view kind, const schema::TypeInfo& type);
void apply_configuration(const CallPtr& call);

}  // namespace lotse::api
