// The call "proxy": an HTTP request from the API server to a port of a pod (or any address), and its answer; with
// status 101 the connection itself, both ways. [loop]
#pragma once
#include <memory>
#include <string>

#include "core/base/loop.h"
#include "core/base/msgpack.h"
#include "core/base/stream.h"

namespace lotse::agent {

// `arguments` as core/api/README.md has them; `ip` is where to go.
StreamPtr open_proxy(Loop& loop, const MsgValue& arguments, const std::string& ip, SinkPtr sink);

}  // namespace lotse::agent
