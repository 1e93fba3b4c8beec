// port_forward: a TCP connection to 127.0.0.1:port (then to ::1) within the sandbox's network namespace.
#pragma once
#include <functional>
#include <string>

#include "plugins/container_engine/engine_core.h"

namespace lotse::container_engine {

// The pid of the process that a sandbox holds; 0: none is running.
using PidOf = std::function<Co<uint32_t>(const std::string& sandbox, int64_t deadline_ns)>;

// Throws LOTSE_INVALID.
sdk::ProducerPtr open_port_forward(EngineCore& engine, const Msg& request, PidOf pid_of);

}  // namespace lotse::container_engine
