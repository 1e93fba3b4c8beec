#include "plugins/engine_http/oom_watch.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <sstream>

#include "plugins/container_engine/process_file.h"
#include "plugins/engine_http/cgroup_stats.h"

namespace lotse::engine_http {

bool has_oom_kill(const std::string& path) {
  std::istringstream lines(container_engine::read_small_file(path).value_or(""));
  std::string name;
  long long value = 0;
  while (lines >> name >> value) {
    if (name == "oom_kill") return value > 0;
  }
  return false;
}

OomWatch::~OomWatch() {
  while (!entries_.empty()) end(entries_.begin()->first);
}

void OomWatch::begin(const std::string& id, uint32_t pid) {
  if (pid == 0 || entries_.count(id) != 0) return;
  Entry entry;
  entry.directory = cgroup_directory(pid, "memory");
  if (entry.directory.empty()) return;
  std::string events = entry.directory + "/memory.events";
  entry.unified = access(events.c_str(), F_OK) == 0;
  bool works = false;
  if (entry.unified) {
    entry.event = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    works = entry.event >= 0 && inotify_add_watch(entry.event, events.c_str(), IN_MODIFY) >= 0;
  } else {
    entry.event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    entry.control = open((entry.directory + "/memory.oom_control").c_str(), O_RDONLY | O_CLOEXEC);
    int order = open((entry.directory + "/cgroup.event_control").c_str(), O_WRONLY | O_CLOEXEC);
    std::string text = std::to_string(entry.event) + " " + std::to_string(entry.control);
    works = entry.control >= 0 && order >= 0 && write(order, text.data(), text.size()) > 0;
    if (order >= 0) close(order);
  }
  if (works) entry.watch = reactor_.watch(entry.event, EPOLLIN, [this, id](uint32_t) { ready(id); });
  entries_[id] = entry;
  if (!works) end(id);
}

void OomWatch::end(const std::string& id) {
  auto it = entries_.find(id);
  if (it == entries_.end()) return;
  if (it->second.watch != 0) reactor_.unwatch(it->second.watch);
  if (it->second.event >= 0) close(it->second.event);
  if (it->second.control >= 0) close(it->second.control);
  entries_.erase(it);
}

void OomWatch::ready(const std::string& id) {
  auto it = entries_.find(id);
  if (it == entries_.end()) return;
  Entry& entry = it->second;
  if (entry.unified) {
    std::array<char, 4096> buffer;
    while (read(entry.event, buffer.data(), buffer.size()) > 0) continue;
    if (has_oom_kill(entry.directory + "/memory.events")) noticed_(id);
    return;
  }
  // Version 1 counts the end of the cgroup as one more.
  uint64_t count = 0;
  if (read(entry.event, &count, sizeof count) != sizeof count) return;
  bool there = access((entry.directory + "/memory.oom_control").c_str(), F_OK) == 0;
  if (count > (there ? 0u : 1u)) noticed_(id);
  if (!there) end(id);
}

}  // namespace lotse::engine_http
