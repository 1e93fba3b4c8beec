// Notices that containers run out of memory where the engine does not tell: by the cgroup's own notifications, an eventfd
// on memory.oom_control (version 1) or inotify on memory.events (version 2).
//
// Threads: the reactor's.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "plugins/container_engine/reactor.h"

namespace lotse::engine_http {
using container_engine::Reactor;

class OomWatch {
 public:
  OomWatch(Reactor& reactor, std::function<void(const std::string& id)> noticed)
      : reactor_(reactor), noticed_(std::move(noticed)) {}
  ~OomWatch();

  void begin(const std::string& id, uint32_t pid);  // of a container's first process
  void end(const std::string& id);

 private:
  struct Entry {
    std::string directory;
    bool unified = false;
    int event = -1, control = -1;
    uint64_t watch = 0;
  };
  void ready(const std::string& id);

  Reactor& reactor_;
  const std::function<void(const std::string&)> noticed_;
  std::map<std::string, Entry> entries_;
};

// "oom_kill 3" of a cgroup's file is more than 0.
bool has_oom_kill(const std::string& path);

}  // namespace lotse::engine_http
