// resourceVersion as clients write it, and what lists and watches make of it (API concepts, "Resource versions").
#pragma once
#include "core/api/call.h"

namespace lotse::api {

// "" and "0" are 0. kBadRequest for what is no revision of ours.
Result<uint64_t> parse_revision(std::string_view text);
// kTimeout ("Too large resource version") when this revision is still to come.
Status check_reached(ServerImpl& server, uint64_t revision);

}  // namespace lotse::api
