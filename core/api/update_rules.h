// What upstream's strategies say about updates, a kind each.
#pragma once
#include "core/api/call.h"

namespace lotse::api {

bool creates_on_update(std::string_view stored);  // PUT of what is not there creates it
bool needs_revision(std::string_view stored);     // PUT without resourceVersion is refused
// uid and resourceVersion in the metadata that was sent, if they were, against what is stored: kConflict.
Status check_preconditions(const Call& call, const json::Value& metadata, const ObjectPtr& current);

}  // namespace lotse::api
