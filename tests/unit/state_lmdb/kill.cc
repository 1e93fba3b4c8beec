// kill -9 at any moment: what was acknowledged to the outside is there when the store is opened again.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "unit/state_lmdb/store.h"

using namespace lotse;
using namespace lotse::test;

namespace {
struct Ack {
  uint32_t writer;
  uint32_t number;
};

// Commits until it is killed: each writer counts up in a key of its own, and leaves every number behind. Each number is
// told to the parent once it is committed.
[[noreturn]] void write_until_killed(const std::string& directory, int pipe, std::vector<uint32_t> from) {
  Store store(directory);
  if (!store.status.ok()) _exit(3);
  std::vector<std::thread> writers;
  for (uint32_t w = 0; w < from.size(); ++w) {
    writers.emplace_back([&, w] {
      for (uint32_t n = from[w] + 1;; ++n) {
        std::string name = "w" + std::to_string(w);
        auto outcomes =
            store.commit({put(name, std::to_string(n)), put(name + "/" + std::to_string(n), std::string(n % 3000, 'x')),
                          del(name + "/" + std::to_string(n - 20))});
        if (outcomes[0].code != LOTSE_OK || outcomes[1].code != LOTSE_OK) _exit(4);
        if (n % 37 == 0) (void)store.engine->compact(store.facts().revision);
        Ack ack{w, n};
        if (write(pipe, &ack, sizeof ack) != sizeof ack) _exit(5);
      }
    });
  }
  for (auto& writer : writers) writer.join();
  _exit(0);
}
}  // namespace

TEST_CASE("nothing acknowledged is lost by kill -9") {
  const char* rounds_text = getenv("LOTSE_KILL_ROUNDS");
  int rounds = rounds_text != nullptr ? atoi(rounds_text) : 12;
  std::mt19937_64 random(getenv("LOTSE_SEED") != nullptr ? strtoull(getenv("LOTSE_SEED"), nullptr, 0) : 1);
  Directory directory;
  std::vector<uint32_t> acknowledged(4, 0);
  for (int round = 0; round < rounds; ++round) {
    int fds[2];
    REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
    pid_t pid = fork();
    if (pid == 0) write_until_killed(directory.path, fds[1], acknowledged);
    close(fds[1]);
    Ack ack{};
    // Killed after so many acknowledgements, at whatever it is doing then.
    for (uint64_t left = random() % 60; left > 0; --left) {
      REQUIRE(read(fds[0], &ack, sizeof ack) == sizeof ack);
      acknowledged[ack.writer] = ack.number;
    }
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    while (read(fds[0], &ack, sizeof ack) == sizeof ack) acknowledged[ack.writer] = ack.number;
    close(fds[0]);

    Store store(directory.path);
    INFO("round " << round << ": " << store.status.message);
    REQUIRE(store.status.ok());
    auto all = store.all();
    for (uint32_t w = 0; w < acknowledged.size(); ++w) {
      std::string name = "w" + std::to_string(w);
      uint32_t found = all.contains(name) ? static_cast<uint32_t>(std::stoul(all[name])) : 0;
      REQUIRE(found >= acknowledged[w]);
      REQUIRE(found <= acknowledged[w] + 1);
      for (uint32_t n = found > 19 ? found - 19 : 1; n <= found; ++n) {
        REQUIRE(all[name + "/" + std::to_string(n)].size() == n % 3000);
      }
      acknowledged[w] = found;
    }
  }
}
