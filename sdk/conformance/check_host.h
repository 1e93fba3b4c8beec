// The smallest host a plugin can live in: log, loop, paths and faults, with what they were told kept for the cases.
#pragma once

#include <lotse/abi/host.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace lotse::check {

class CheckHost {
 public:
  // `directory` exists and is empty. verbose: the plugin's log lines go to stderr.
  CheckHost(std::string directory, bool verbose);
  ~CheckHost();
  CheckHost(const CheckHost&) = delete;
  CheckHost& operator=(const CheckHost&) = delete;

  const lotse_host* c() const { return &host_; }
  const std::string& directory() const { return directory_; }
  const std::string& data_dir() const { return data_dir_; }
  std::map<std::string, std::string> faults();  // id -> reason

 private:
  struct Timer {
    uint64_t id;
    void (*fn)(void*);
    void* ctx;
  };
  struct Watch {
    int32_t fd;
    uint32_t events;
    void (*fn)(void*, uint32_t);
    void* ctx;
  };
  void loop();
  void worker();
  void wake();
  int run_due_timers();  // milliseconds until the next one, -1: none
  void run_watches(int timeout_ms);
  static const void* service(void* self, const char* id);

  const std::string directory_, data_dir_, run_dir_;
  const bool verbose_;
  lotse_host host_{};
  lotse_host_log log_{};
  lotse_host_loop loop_{};
  lotse_host_paths paths_{};
  lotse_host_fault fault_{};

  std::recursive_mutex watch_mutex_;  // held while a watch's callback runs, so that stop can wait for it
  std::mutex mutex_;
  std::condition_variable work_ready_;
  std::deque<std::pair<void (*)(void*), void*>> posted_, work_;
  std::multimap<int64_t, Timer> timers_;
  std::map<uint64_t, Watch> watches_;
  std::map<std::string, std::string> faults_;
  uint64_t last_id_ = 0;
  bool stopping_ = false;
  int wake_fd_ = -1;
  std::thread loop_thread_;
  std::vector<std::thread> workers_;
};

}  // namespace lotse::check
