// One request to the daemon that serves a data directory, by its control socket.
#pragma once
#include <functional>
#include <string>

#include "core/base/msgpack.h"
#include "core/base/status.h"

namespace lotse::cli {

struct Ended {
  int code = 0;          // an exit code
  std::string sentence;  // what went wrong, where code is not 0
  std::string reason;    // "NotFound", as a Kubernetes Status has it; empty: none was said
};
// Called for each frame that is not the last; a Status that is not ok ends the exchange.
using OnFrame = std::function<Status(const MsgValue& frame)>;

Ended exchange(const std::string& data_dir, const MsgValue& request, const OnFrame& on_frame);

}  // namespace lotse::cli
