#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>

#include "plugins/engine_http/oom_watch.h"

using namespace lotse::engine_http;

TEST_CASE("a cgroup's file tells whether memory ran out in it") {
  char name[] = "/tmp/lotse-oom-XXXXXX";
  int fd = mkstemp(name);
  REQUIRE(fd >= 0);
  close(fd);
  auto with = [&](const char* text) {
    std::ofstream(name) << text;
    return has_oom_kill(name);
  };
  CHECK(with("low 0\nhigh 0\nmax 7\noom 1\noom_kill 1\n"));
  CHECK_FALSE(with("low 0\nhigh 0\nmax 7\noom 1\noom_kill 0\n"));
  CHECK_FALSE(with("oom_kill_disable 0\nunder_oom 0\n"));
  CHECK_FALSE(with(""));
  unlink(name);
  CHECK_FALSE(has_oom_kill(name));
}
