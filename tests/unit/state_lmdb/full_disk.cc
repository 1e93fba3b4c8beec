// The same on real file systems. Needs root (a mount namespace of its own): run by name from the integration tests.
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "unit/state_lmdb/store.h"

using namespace lotse;
using namespace lotse::test;

namespace {
// Mounts a tmpfs of so many bytes over the directory, in a mount namespace that nobody else sees.
void mount_small(const std::string& directory, const char* options) {
  REQUIRE(unshare(CLONE_NEWNS) == 0);
  REQUIRE(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
  REQUIRE(mount("tmpfs", directory.c_str(), "tmpfs", 0, options) == 0);
}
}  // namespace

TEST_CASE("a real disk that is full", "[.][integration]") {
  Directory directory;
  mount_small(directory.path, "size=6m");
  {
    Store store(directory.path);
    REQUIRE(store.status.ok());
    int keys = 0;
    lotse_state_outcome outcome{};
    while ((outcome = store.commit(put("k" + std::to_string(keys), std::string(3000, 'v')))).code == LOTSE_OK) ++keys;
    CHECK(outcome.code == LOTSE_NO_SPACE);
    CHECK(keys > 300);
    // Somebody else takes what little is left.
    FILE* other = fopen((directory.path + "/other").c_str(), "w");
    std::string block(4096, 'o');
    while (fwrite(block.data(), 1, block.size(), other) == block.size() && fflush(other) == 0) {
    }
    fclose(other);
    CHECK(store.all().size() == static_cast<size_t>(keys));
    for (int i = 0; i < keys; i += 2) REQUIRE(store.commit(del("k" + std::to_string(i))).code == LOTSE_OK);
    CHECK(store.all().size() == static_cast<size_t>(keys / 2));
    REQUIRE(store.engine->compact(store.facts().revision).ok());
    while (store.facts().swept < store.facts().compacted) std::this_thread::yield();
    CHECK(store.commit(put("in the freed pages", std::string(3000, 'v'))).code == LOTSE_OK);
    unlink((directory.path + "/other").c_str());
  }
  Store again(directory.path);
  CHECK(again.all().contains("in the freed pages"));
  again.engine.reset();
  umount2(directory.path.c_str(), MNT_DETACH);
}

TEST_CASE("a real disk that is read-only when the store is opened", "[.][integration]") {
  Directory directory;
  mount_small(directory.path, "size=16m");
  {
    Store store(directory.path);
    REQUIRE(store.commit(put("a", "1")).code == LOTSE_OK);
  }
  REQUIRE(mount(nullptr, directory.path.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, "size=16m") == 0);
  Store store(directory.path);
  INFO(store.status.message);
  REQUIRE(store.status.ok());
  CHECK(store.all().at("a") == "1");
  CHECK(store.commit(put("a", "2")).code == LOTSE_READ_ONLY);
  CHECK(store.commit(del("a")).code == LOTSE_READ_ONLY);
  CHECK(store.all().at("a") == "1");
  REQUIRE(mount(nullptr, directory.path.c_str(), nullptr, MS_REMOUNT, "size=16m") == 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(210));
  CHECK(store.commit(put("a", "3")).code == LOTSE_OK);
  CHECK(store.all().at("a") == "3");
  store.engine.reset();
  umount2(directory.path.c_str(), MNT_DETACH);
}
