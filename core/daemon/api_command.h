// `lotse` asks the API by the control socket: {"command": "api", "verb", "group", "version", "resource", "namespace", "name",
// "subresource", "options": {}, "content_type", "body"}. One way in, as for everybody: the request is the administrator's, who alone
// can open the socket; the answer's body comes as data.
#pragma once
#include "core/api/request.h"
#include "core/base/loop.h"
#include "core/daemon/control_socket.h"

namespace lotse::daemon {

// [worker] Waits for the answer, at most a minute.
Status ask_api(Loop& loop, api::Handler& handler, const MsgValue& asked, ControlReply& reply);

}  // namespace lotse::daemon
