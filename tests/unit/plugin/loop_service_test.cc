#include "core/plugin/loop_service.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <future>

using namespace lotse;
using namespace lotse::plugin;

namespace {

void count(void* ctx) {
  ++*static_cast<std::atomic<int>*>(ctx);
}

}  // namespace

TEST_CASE("a plugin's timers fire once unless they are stopped") {
  VirtualLoop loop;
  WorkerPool workers("test", 1, 1);
  LoopService service(loop, workers);
  const lotse_host_loop* c = service.raw();
  std::atomic<int> fired{0};
  uint64_t stopped = c->timer_start(c->self, 1'000, count, &fired);
  uint64_t kept = c->timer_start(c->self, 1'000, count, &fired);
  CHECK(stopped != kept);
  CHECK(c->timer_stop(c->self, stopped) != 0);
  CHECK(c->timer_stop(c->self, stopped) == 0);
  loop.advance(std::chrono::seconds(1));
  CHECK(fired == 1);
  CHECK(c->timer_stop(c->self, kept) == 0);
  CHECK(c->timer_stop(c->self, 999) == 0);
}

TEST_CASE("posts run on the loop in order, work runs elsewhere until the queue is full") {
  VirtualLoop loop;
  std::atomic<int> ran{0};
  struct Gate {
    std::promise<void> inside, open;
  } gate;  // outlives the pool
  {
    WorkerPool workers("test", 1, 1);
    LoopService service(loop, workers);
    const lotse_host_loop* c = service.raw();
    c->post(c->self, count, &ran);
    CHECK(ran == 0);
    loop.run();
    CHECK(ran == 1);
    auto wait = [](void* ctx) {
      static_cast<Gate*>(ctx)->inside.set_value();
      static_cast<Gate*>(ctx)->open.get_future().wait();
    };
    CHECK(c->work(c->self, wait, &gate) == LOTSE_OK);
    gate.inside.get_future().wait();
    CHECK(c->work(c->self, count, &ran) == LOTSE_OK);
    CHECK(c->work(c->self, count, &ran) == LOTSE_BUSY);
    gate.open.set_value();
  }
  CHECK(ran == 2);
}

TEST_CASE("a watch tells what is ready, and stops for good when it is stopped") {
  LoopThread thread("test");
  WorkerPool workers("test", 1, 1);
  LoopService service(thread.loop(), workers);
  const lotse_host_loop* c = service.raw();
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  struct Seen {
    int fd;
    std::atomic<uint32_t> events{0};
    std::atomic<int> calls{0};
    std::promise<void> closed;
  } seen;
  seen.fd = ends[0];
  uint64_t id = c->watch_start(
      c->self, ends[0], 1,
      [](void* ctx, uint32_t events) {
        auto* s = static_cast<Seen*>(ctx);
        char byte;
        s->calls++;
        if (read(s->fd, &byte, 1) == 0 && !(s->events & 4)) {
          s->events = events;
          if (events & 4) s->closed.set_value();
        }
      },
      &seen);
  REQUIRE(id != 0);
  REQUIRE(write(ends[1], "x", 1) == 1);
  close(ends[1]);
  seen.closed.get_future().wait();
  CHECK((seen.events & 5) == 5);
  c->watch_stop(c->self, id);  // it is level-triggered and would be called for ever
  int calls = seen.calls;
  std::promise<void> later;
  thread.loop().post([&] { later.set_value(); });
  later.get_future().wait();
  CHECK(seen.calls == calls);
  close(ends[0]);
  int file = open("/proc/self/exe", O_RDONLY);
  CHECK(c->watch_start(
            c->self, file, 1, [](void*, uint32_t) {}, nullptr) == 0);
  CHECK(c->watch_start(
            c->self, -1, 1, [](void*, uint32_t) {}, nullptr) == 0);
  close(file);
}
