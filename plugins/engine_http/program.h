// Runs a program to its end on the reactor: input, output, deadline.
#pragma once
#include <string>
#include <vector>

#include "plugins/container_engine/co.h"
#include "plugins/container_engine/outcome.h"
#include "plugins/container_engine/reactor.h"

namespace lotse::engine_http {
using namespace container_engine;

struct ProgramResult {
  int exit_code = 0;  // 128 + signal where it was killed
  std::string out, err;
};

// At the deadline it is killed, and the outcome is LOTSE_DEADLINE. Of its output, 1 MiB each is kept.
Co<Outcome<ProgramResult>> run_program(Reactor& reactor, std::vector<std::string> arguments,
                                       std::vector<std::string> environment, std::string input, int64_t deadline_ns);

}  // namespace lotse::engine_http
