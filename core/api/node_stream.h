// Streams from a node's agent whose first item says how it went (channel 1, logs and proxy): the reply waits for it, so that the
// client gets a proper status; what follows is handed on as the client grants credit.
#pragma once
#include "core/api/call.h"
#include "core/base/msgpack.h"
#include "core/base/stream.h"

namespace lotse::api {

// The pod's part of the arguments. Fails (kBadRequest) if the pod runs nowhere yet.
Result<MsgValue> pod_arguments(const ObjectPtr& pod);
// Which container is meant: kBadRequest in upstream's words if that is not clear or there is none of that name.
Result<std::string> choose_container(const ObjectPtr& pod, std::string_view wanted);

using OnHead = std::function<Response(const MsgValue& head)>;
// Replies to the call with what head makes of the first item, streaming. `body` is written to channel 0 and half-closed.
void reply_with_stream(const CallPtr& call, const std::string& node, std::string_view kind, const MsgValue& arguments, Bytes body, OnHead head);

}  // namespace lotse::api
