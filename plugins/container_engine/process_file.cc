#include "plugins/container_engine/process_file.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

extern char** environ;

namespace lotse::container_engine {

std::optional<std::string> read_small_file(const std::string& path) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::string text(1 << 20, '\0');
  size_t size = 0;
  ssize_t n = 0;
  while (size < text.size() && (n = read(fd, text.data() + size, text.size() - size)) > 0)
    size += static_cast<size_t>(n);
  close(fd);
  if (n < 0) return std::nullopt;
  text.resize(size);
  return text;
}

bool replace_file(const std::string& path, const std::string& text) {
  std::string fresh = path + ".new";
  int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(fd);
  return written && rename(fresh.c_str(), path.c_str()) == 0;
}

std::optional<ProcessFile> read_process_file(const std::string& path) {
  auto text = read_small_file(path);
  if (!text) return std::nullopt;
  ProcessFile file;
  for (size_t at = 0; at < text->size();) {
    size_t end = std::min(text->find('\n', at), text->size());
    std::string line = text->substr(at, end - at);
    at = end + 1;
    size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    std::string key = line.substr(0, equals), value = line.substr(equals + 1);
    if (key == "pid") file.pid = atoi(value.c_str());
    if (key == "start") file.start = value;
    if (key == "socket") file.socket = value;
  }
  if (file.pid <= 1 || file.start.empty()) return std::nullopt;
  return file;
}

bool write_process_file(const std::string& path, const ProcessFile& file) {
  return replace_file(path,
                      "pid=" + std::to_string(file.pid) + "\nstart=" + file.start + "\nsocket=" + file.socket + "\n");
}

std::string process_start(int pid) {
  auto stat = read_small_file("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return {};
  size_t at = stat->rfind(')');  // the name may hold spaces and brackets
  if (at == std::string::npos || at + 2 >= stat->size() || (*stat)[at + 2] == 'Z') return {};
  constexpr int kStartField = 22, kFirstAfterName = 3;
  at += 2;
  for (int field = kFirstAfterName; field < kStartField; field++) {
    at = stat->find(' ', at);
    if (at == std::string::npos) return {};
    at++;
  }
  return stat->substr(at, stat->find(' ', at) - at);
}

int spawn_daemon(const std::vector<std::string>& arguments, const std::string& log, std::string* why) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  posix_spawn_file_actions_addchdir_np(&files, "/");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  // The service manager must not take containerd for lotsed, nor its children for ours.
  std::vector<char*> environment;
  for (char** e = environ; *e != nullptr; e++) {
    if (strncmp(*e, "NOTIFY_SOCKET=", 14) != 0 && strncmp(*e, "LISTEN_", 7) != 0) environment.push_back(*e);
  }
  environment.push_back(nullptr);
  pid_t pid = 0;
  int error = posix_spawnp(&pid, argv[0], &files, &attributes, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  // In a process of its own the plugin may have a limit of memory; what holds containers must not.
  rlimit limit{};
  if (error == 0 && prlimit(pid, RLIMIT_DATA, nullptr, &limit) == 0 && limit.rlim_cur != limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    prlimit(pid, RLIMIT_DATA, &limit, nullptr);
  }
  if (error == 0) return pid;
  *why = "cannot start " + arguments[0] + ": " + strerror(error);
  return 0;
}

}  // namespace lotse::container_engine
