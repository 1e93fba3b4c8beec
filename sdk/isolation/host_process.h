// HostProcess: one lotse-plugin-host and the socket to it. Its owner's thread runs it: reads and writes, passes on what the program
// prints, and ends it when it has been silent for too long.
#pragma once
#include <sys/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "sdk/isolation/near_end.h"

namespace lotse::isolation {

class HostProcess {
 public:
  enum class End { kStopped, kCrashed, kHung, kMemory };
  struct Ended {
    End how = End::kStopped;
    std::string sentence;  // "was killed by signal 11 (Segmentation fault)"
  };
  struct Listener {
    std::function<void(const Frame&)> other;         // kLog and kFault
    std::function<void(std::string_view)> said;      // a line that it has printed
    std::function<void()> flooded;                   // more than that is taken of it in a second
  };
  static constexpr int kSocket = 3;            // its end of the socket
  static constexpr int kExitMemory = 70;       // what it ends with when memory is used up
  static constexpr size_t kPrintedMax = 64 << 10;  // bytes a second; it waits with the rest
  static constexpr size_t kQueuedMax = size_t{256} << 20;

  HostProcess() = default;
  HostProcess(const HostProcess&) = delete;
  HostProcess& operator=(const HostProcess&) = delete;
  ~HostProcess();

  // The thread that calls this must live as long as the process: it is killed when the thread ends. Empty, or a sentence.
  std::string spawn(const std::string& program);
  void send(const Frame& frame);  // [any]
  void wake();                    // [any] run() looks at the near end's deadlines again
  void stop(int64_t within_ns);   // [any] kDestroy, and the end of it by force after that time
  void kill();                    // [any]
  // Until the process has ended.
  Ended run(NearEnd& near, const Listener& listener);

 private:
  bool read_frames(NearEnd& near, const Listener& listener);
  void read_printed(const Listener& listener, int64_t now);
  bool flush();
  int timeout_ms(const NearEnd& near, int64_t now) const;
  Ended reap(Ended known);

  pid_t pid_ = -1;
  int socket_ = -1, printed_ = -1, wake_ = -1;
  std::mutex mutex_;
  std::string out_;   // what the socket did not take yet
  size_t sent_ = 0;
  bool too_much_ = false;
  std::atomic<int64_t> stop_by_{0};
  std::atomic<bool> killed_{false};
  FrameReader frames_;
  std::string line_;
  int64_t second_ = 0, quiet_until_ = 0;
  size_t taken_ = 0;  // of what was printed in this second
};

}  // namespace lotse::isolation
