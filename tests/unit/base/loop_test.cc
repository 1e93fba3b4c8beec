#include "core/base/loop.h"

#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <future>

#include "core/base/signals.h"

using namespace lotse;
using namespace std::chrono_literals;

TEST_CASE("a virtual loop fires timers in order and jumps from one to the next") {
  VirtualLoop loop;
  std::string order;
  WallTime start = loop.clock().now();
  Handle b = loop.after(2s, [&] { order += "b"; });
  Handle a = loop.after(1s, [&] {
    order += "a";
    CHECK(loop.clock().now() == start + 1s);
    loop.post([&] { order += "p"; });
  });
  Handle c = loop.after(2s, [&] { order += "c"; });
  Handle never = loop.after(1s, [&] { order += "never"; });
  never.reset();
  loop.advance(1500ms);
  CHECK(order == "ap");
  loop.advance(1s);
  CHECK(order == "apbc");
  CHECK(loop.clock().now() == start + 2500ms);
}

TEST_CASE("a timer's handle may go while the timer fires, or with the loop") {
  Handle handle;
  {
    VirtualLoop loop;
    int fired = 0;
    handle = loop.after(1s, [&] {
      handle.reset();
      handle = loop.after(1s, [&] { fired++; });
    });
    loop.advance(5s);
    CHECK(fired == 1);
    handle = loop.after(1s, [] {});
  }
  handle.reset();
}

TEST_CASE("a virtual loop serves descriptors that are ready") {
  VirtualLoop loop;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  std::string got;
  Handle watch = loop.watch_fd(ends[0], true, false, [&] {
    char c;
    if (read(ends[0], &c, 1) == 1) got += c;
  });
  loop.run();
  REQUIRE(write(ends[1], "xyz", 3) == 3);
  loop.run();
  CHECK(got == "xyz");
  watch.reset();
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("a loop thread runs what is posted in order, and all of it before it ends") {
  std::vector<int> order;
  {
    LoopThread thread("test");
    CHECK_FALSE(thread.loop().on_loop());
    for (int i = 0; i < 1000; i++) thread.loop().post([&order, i] { order.push_back(i); });
    thread.loop().post([&] {
      CHECK(thread.loop().on_loop());
      thread.loop().post([&order] { order.push_back(1000); });
    });
  }
  REQUIRE(order.size() == 1001);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("a loop thread watches descriptors level-triggered, several on one") {
  LoopThread thread("test");
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  std::promise<std::string> all;
  std::string got;
  Handle one, two;
  thread.loop().post([&] {
    one = thread.loop().watch_fd(ends[0], true, false, [&] {
      char c;
      if (read(ends[0], &c, 1) == 1) got += c;  // a byte at a time: it has to be called again
      if (got.size() == 3) {
        one.reset();
        all.set_value(got);
      }
    });
    two = thread.loop().watch_fd(ends[1], false, true, [&] {
      CHECK(write(ends[1], "xyz", 3) == 3);
      two.reset();
    });
  });
  CHECK(all.get_future().get() == "xyz");
  close(ends[0]);
  close(ends[1]);
}

TEST_CASE("timers of a real loop fire once, unless their handle has gone") {
  LoopThread thread("test");
  std::promise<int> done;
  int stopped = 0;
  Handle a, b;
  thread.loop().post([&] {
    a = thread.loop().after(1ms, [&] { stopped++; });
    a.reset();
    b = thread.loop().after(5ms, [&] {
      b.reset();  // on the loop, where it belongs
      done.set_value(stopped);
    });
  });
  CHECK(done.get_future().get() == 0);
}

TEST_CASE("a main loop runs on the calling thread until it is stopped, and takes signals") {
  block_signals({SIGUSR1});
  MainLoop main;
  int got = 0;
  Handle watch = watch_signals(main.loop(), {SIGUSR1}, [&](int signal) {
    got = signal;
    main.stop();
  });
  main.loop().post([&] {
    CHECK(main.loop().on_loop());
    kill(getpid(), SIGUSR1);
  });
  main.run();
  CHECK(got == SIGUSR1);
}

TEST_CASE("a pool takes no more than it has room for and runs all that it took") {
  std::atomic<int> ran{0};
  int taken = 0;
  std::promise<void> gate;
  auto opened = gate.get_future().share();
  std::promise<void> busy;
  {
    WorkerPool pool("test", 1, 3);
    REQUIRE(pool.submit([&] {
      busy.set_value();
      opened.wait();
      ran++;
    }));
    busy.get_future().wait();
    for (int i = 0; i < 10; i++) taken += pool.submit([&] { ran++; });
    CHECK(taken == 3);
    gate.set_value();
  }
  CHECK(ran == 4);
}

TEST_CASE("a pool uses as many threads as it may") {
  WorkerPool pool("test", 4, 100);
  std::mutex mutex;
  std::condition_variable all;
  int inside = 0;
  for (int i = 0; i < 4; i++) {
    REQUIRE(pool.submit([&] {
      std::unique_lock lock(mutex);
      inside++;
      all.notify_all();
      all.wait(lock, [&] { return inside == 4; });
    }));
  }
  std::unique_lock lock(mutex);
  all.wait(lock, [&] { return inside == 4; });
  CHECK(inside == 4);
}
