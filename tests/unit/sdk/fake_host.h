// A host for tests: keeps what is logged, and runs what is posted when run() is called.
#pragma once
#include "lotse/host.hpp"

struct FakeHost {
  lotse_host_log log{sizeof(lotse_host_log), 0, this, write, level};
  lotse_host_loop loop{sizeof(lotse_host_loop), 0, this, post, timer_start, timer_stop, watch_start, watch_stop, work};
  lotse_host raw{sizeof(lotse_host), 0, this, "9.9.9", service};
  std::vector<std::string> lines;
  std::deque<std::pair<void (*)(void*), void*>> posted;
  std::map<uint64_t, std::pair<void (*)(void*), void*>> timers;
  uint64_t next = 1;

  lotse::sdk::Host host() { return lotse::sdk::Host(&raw); }
  void run() {
    while (!posted.empty()) {
      auto [fn, ctx] = posted.front();
      posted.pop_front();
      fn(ctx);
    }
  }
  void fire_timers() {
    auto due = std::move(timers);
    timers.clear();
    for (auto& [id, timer] : due) timer.first(timer.second);
  }

  static FakeHost* of(void* self) { return static_cast<FakeHost*>(self); }
  static const void* service(void* self, const char* id) {
    if (std::string_view(id) == LOTSE_HOST_LOG) return &of(self)->log;
    if (std::string_view(id) == LOTSE_HOST_LOOP) return &of(self)->loop;
    return nullptr;
  }
  static void write(void* self, int32_t, const char* event, lotse_bytes message, const lotse_pair* fields,
                    size_t count) {
    std::string line = std::string(event) + " " + std::string(lotse::sdk::view(message));
    for (size_t i = 0; i < count; i++) {
      line += " " + std::string(lotse::sdk::view(fields[i].key)) + "=" + std::string(lotse::sdk::view(fields[i].value));
    }
    of(self)->lines.push_back(line);
  }
  static int32_t level(void*) { return LOTSE_INFO; }
  static void post(void* self, void (*fn)(void*), void* ctx) { of(self)->posted.push_back({fn, ctx}); }
  static uint64_t timer_start(void* self, int64_t, void (*fn)(void*), void* ctx) {
    of(self)->timers[of(self)->next] = {fn, ctx};
    return of(self)->next++;
  }
  static int32_t timer_stop(void* self, uint64_t id) { return int32_t(of(self)->timers.erase(id)); }
  static uint64_t watch_start(void*, int32_t, uint32_t, void (*)(void*, uint32_t), void*) { return 0; }
  static void watch_stop(void*, uint64_t) {}
  static int32_t work(void*, void (*)(void*), void*) { return LOTSE_BUSY; }
};
