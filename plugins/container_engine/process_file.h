// The pid file of the managed containerd, and what /proc says of a process.
#pragma once
#include <optional>
#include <string>
#include <vector>

namespace lotse::container_engine {

struct ProcessFile {
  int pid = 0;
  std::string start;  // in clock ticks since boot, as /proc has it: with the pid it names a process for good
  std::string socket;
};

std::optional<ProcessFile> read_process_file(const std::string& path);
bool write_process_file(const std::string& path, const ProcessFile& file);
std::string process_start(int pid);  // empty: no such process, or it is a zombie

std::optional<std::string> read_small_file(const std::string& path);
// By way of a temporary file and a rename.
bool replace_file(const std::string& path, const std::string& text);

// A process in a session of its own, with output appended to `log`. 0 and *why where it cannot.
int spawn_daemon(const std::vector<std::string>& arguments, const std::string& log, std::string* why);

}  // namespace lotse::container_engine
