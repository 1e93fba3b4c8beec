// The host that the runtime suite gives to a plugin: a log on stderr, one loop thread, and directories of its own.
#pragma once
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lotse/abi/host.h"

namespace lotse::conformance {

class TestHost {
 public:
  explicit TestHost(const std::string& directory, bool verbose);
  ~TestHost();
  const lotse_host* host() const { return &host_; }
  std::vector<std::string> faults() const;

 private:
  void run();
  void post_at(int64_t due_ns, uint64_t id, std::function<void()> fn);

  std::string data_dir_, run_dir_, daemon_dir_;
  bool verbose_;
  lotse_host host_{};
  lotse_host_log log_{};
  lotse_host_loop loop_{};
  lotse_host_paths paths_{};
  lotse_host_fault fault_{};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<int64_t, uint64_t>, std::function<void()>> timers_;
  std::map<std::string, std::string> faults_;
  uint64_t next_ = 1;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace lotse::conformance
