// API requests as streams of a session, both ends: Remote is the Handler at the worker, accept_request the acceptor of
// the kind "api" at the master.
//
// Arguments: a MessagePack map {verb int, group, version, resource, ns, name, sub, path, method, options [[k, v]], ct, accept, ua,
// headers [[k, v]]}, what is empty left out. The body is written on channel 0 and ended by a half-close. The answer's first item is on
// channel 1: {status int, ct, headers [[k, v]], streams bool}; its body, or a watch's events, one an item, follow on channel 0.
#pragma once
#include "core/api/request.h"
#include "core/bus/mux.h"

namespace lotse::bus {

inline constexpr size_t kBodyBytesMax = 3 * 1024 * 1024 + 1024;

Result<StreamPtr> accept_request(api::Handler& handler, Loop& loop, std::shared_ptr<const security::User> user, std::string_view remote,
                                 Bytes arguments, SinkPtr sink);

// [any thread] Sends a request over the session.
void send_request(Mux& mux, api::Request request, api::Respond respond);

}  // namespace lotse::bus
