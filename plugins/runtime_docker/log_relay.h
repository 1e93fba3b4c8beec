// Logs: what Docker's json-file driver writes, line for line into the file that Kubernetes reads, in CRI's form.
//
// Docker's file is the queue: it grows while lotsed is away and nothing is lost. Each of its lines becomes exactly one
// line, so after a crash the place where to go on is found by counting: STATE_DIR/ID holds "offset inode size", a place
// in Docker's file and the log's state when it had been reached, and whatever lines the log has beyond that size have
// been taken from after that offset. A line that was torn by a crash is cut off and written again. What has been taken
// is given back to the filesystem as a hole, so that a log does not take its space twice.
//
// Threads: the reactor's.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "lotse/host.hpp"
#include "plugins/container_engine/reactor.h"

namespace lotse::runtime_docker {
using container_engine::Reactor;

// {"log":"text\n","stream":"stdout","time":"..."} -> "time stdout F text\n"; what is no such line becomes "".
std::string cri_line(std::string_view json);

class LogRelay {
 public:
  LogRelay(std::string source, std::string target, std::string position_file);
  ~LogRelay();
  LogRelay(const LogRelay&) = delete;
  LogRelay& operator=(const LogRelay&) = delete;

  // Takes what there is by now. False: the log cannot be written (a full disk); nothing is lost by trying again.
  bool drain();
  // Goes on in a new file under the log's name.
  bool reopen();
  void save();  // the place
  const std::string& source() const { return source_; }

 private:
  bool open_source();
  bool open_target();
  void find_place();
  uint64_t count_lines(const std::string& path, uint64_t from);
  bool flush(std::string& text);
  void give_back();

  const std::string source_, target_, position_file_;
  int in_ = -1, out_ = -1;
  uint64_t offset_ = 0;  // all before it has been written
  uint64_t skip_ = 0;    // so many lines after it, too
  uint64_t saved_ = 0, freed_ = 0;
  bool placed_ = false;
};

// All of them, and what wakes them: inotify on the directories of Docker's files.
class LogRelays {
 public:
  LogRelays(Reactor& reactor, const sdk::Host& host, std::string state_dir);
  ~LogRelays();

  void begin(const std::string& id, const std::string& source, const std::string& target);
  void end(const std::string& id);  // the container has exited: the rest
  void reopen(const std::string& id);
  void removed(const std::string& id);
  void keep_only(const std::set<std::string>& ids);  // forgets what was written down of others
  void stop();

 private:
  struct Entry {
    std::unique_ptr<LogRelay> relay;
    int watch = -1;
  };
  void ready();
  void drain(const std::string& id, Entry& entry);
  void drop(const std::string& id);

  Reactor& reactor_;
  const sdk::Host host_;
  const std::string state_dir_;
  int inotify_ = -1;
  uint64_t watch_ = 0, retry_ = 0;
  std::map<std::string, Entry> relays_;
  std::map<int, std::string> by_watch_;
};

}  // namespace lotse::runtime_docker
