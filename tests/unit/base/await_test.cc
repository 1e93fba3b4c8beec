#include "core/base/await.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "core/base/log.h"

namespace lotse {
namespace {

std::atomic<int> slow_lines{0};
void count_slow(std::string_view line) {
  if (line.find("base.slow") != line.npos) ++slow_lines;
}

}  // namespace

TEST_CASE("What comes late is said once, and comes") {
  slow_lines = 0;
  log::set_observer(count_slow);
  std::mutex mutex;
  std::condition_variable ready;
  std::unique_lock lock(mutex);
  int asked = 0;
  await(ready, lock, "a test", [&] { return ++asked > 2; }, {std::chrono::milliseconds(0), std::chrono::seconds(60)});
  log::set_observer(nullptr);
  CHECK(slow_lines == 1);
  CHECK(lock.owns_lock());
}

TEST_CASE("A process in which something never comes ends itself") {
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGABRT, SIG_DFL);  // the test framework's goes on
    std::mutex mutex;
    std::condition_variable ready;
    std::unique_lock lock(mutex);
    await(ready, lock, "what never comes", [] { return false; }, {std::chrono::milliseconds(1), std::chrono::milliseconds(1)});
    _exit(0);
  }
  REQUIRE(child > 0);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
}

}  // namespace lotse
