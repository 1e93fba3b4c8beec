// lotse.host.loop/1 over a Loop and a WorkerPool: what the ABI allows from any thread is brought onto the loop here.
#pragma once
#include <poll.h>

#include <memory>
#include <mutex>
#include <unordered_map>

#include "core/base/loop.h"
#include "lotse/abi/host.h"

namespace lotse::plugin {

class LoopService {
 public:
  LoopService(Loop& loop, WorkerPool& workers);
  ~LoopService();
  const lotse_host_loop* raw() const { return &raw_; }

 private:
  struct Timer;
  struct Watch;
  struct State;

  static void post(void* self, void (*fn)(void*), void* ctx);
  static uint64_t timer_start(void* self, int64_t delay_ns, void (*fn)(void*), void* ctx);
  static int32_t timer_stop(void* self, uint64_t id);
  static uint64_t watch_start(void* self, int32_t fd, uint32_t events, void (*fn)(void*, uint32_t), void* ctx);
  static void watch_stop(void* self, uint64_t id);
  static int32_t work(void* self, void (*fn)(void*), void* ctx);

  WorkerPool& workers_;
  std::shared_ptr<State> state_;
  lotse_host_loop raw_;
};

}  // namespace lotse::plugin
