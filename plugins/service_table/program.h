// Runs a program by its argument array, without a shell, and waits for it. [worker]
#pragma once
#include <chrono>
#include <string>
#include <vector>

namespace lotse::service_table {

struct ProgramResult {
  int exit_code = -1;  // -1: it could not be started, was killed, or did not end in time
  std::string out, err;  // at most 64 MiB and 16 KiB
};
ProgramResult run_program(const std::vector<std::string>& argv, const std::string& input, std::chrono::nanoseconds timeout);

}  // namespace lotse::service_table
