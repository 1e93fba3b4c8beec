#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sdk/conformance/call.h"
#include "sdk/conformance/proxy/lab.h"

extern char** environ;

namespace lotse::conformance {

// -1: it is not there.
int try_program(const std::vector<std::string>& argv, const std::string& input, std::string* output) {
  int fds[2];
  const int in = memfd_create("input", MFD_CLOEXEC);
  require(in >= 0 && pipe2(fds, O_CLOEXEC) == 0, "no pipe");
  require(write(in, input.data(), input.size()) == static_cast<ssize_t>(input.size()), "no input for " + argv[0]);
  lseek(in, 0, SEEK_SET);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in, 0);
  posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
  posix_spawn_file_actions_adddup2(&actions, fds[1], 2);
  std::vector<char*> raw;
  for (const auto& word : argv) raw.push_back(const_cast<char*>(word.c_str()));
  raw.push_back(nullptr);
  pid_t pid = -1;
  const int failed = posix_spawnp(&pid, raw[0], &actions, nullptr, raw.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(in), close(fds[1]);
  output->clear();
  char buffer[65536];
  for (ssize_t size; failed == 0 && (size = read(fds[0], buffer, sizeof buffer)) > 0;)
    output->append(buffer, static_cast<size_t>(size));
  close(fds[0]);
  if (failed != 0) return -1;
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string run_program(const std::vector<std::string>& argv, const std::string& input) {
  std::string output;
  const int code = try_program(argv, input, &output);
  require(code == 0, argv[0] + " ended with " + std::to_string(code) + ": " + output.substr(0, 500));
  return output;
}

}  // namespace lotse::conformance
