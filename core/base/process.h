// Programs: started by an array of arguments, never by a shell. A child gets an empty signal mask, default handlers,
// stdin, stdout and stderr, and no other file descriptor of ours.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "core/base/clock.h"

namespace lotse {

struct Program {
  std::vector<std::string> args;                     // args[0]: a path, or a name that is looked for in PATH
  std::optional<std::vector<std::string>> env = {};  // "K=V"; none: ours
  std::string directory = {};                        // empty: ours
  std::string input = {};                            // what it reads on stdin
};

struct ProgramLimits {
  Duration time = std::chrono::seconds(30);
  size_t output_max = 1024 * 1024;  // of each of stdout and stderr; what is more is read and dropped
};

struct ProgramEnd {
  int exit_code = 0;  // 128 + signal where a signal ended it
  std::string out, err;
  bool cut = false;  // output was dropped
};

// [worker] Runs it to its end. A Status only when it could not be started or took too long (kTimeout: it and all of its
// process group were killed); an exit code other than 0 is a value.
Result<ProgramEnd> run_program(const Program& program, const ProgramLimits& limits = {});
// The same, and an exit code other than 0 is a Status with what the program said on stderr.
Result<std::string> run_program_ok(const Program& program, const ProgramLimits& limits = {});

// [worker] Starts it in a session of its own, so that it outlives us; stdout and stderr are appended to log_path
// (0600), or go nowhere if that is empty. It is our child until it has ended: see reap_program.
Result<pid_t> start_program(const Program& program, const std::string& log_path);
// Its exit code once it has ended (then the pid is no longer ours), nothing while it runs.
std::optional<int> reap_program(pid_t pid);

}  // namespace lotse
