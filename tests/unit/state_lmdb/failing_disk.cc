// Full, broken and read-only disks: writes fail with a clear code, reads and deletes go on, and all is well again
// without a restart once the disk is.
#include <errno.h>

#include <atomic>
#include <catch2/catch.hpp>

#include "unit/state_lmdb/disk.h"
#include "unit/state_lmdb/store.h"

using namespace lotse;
using namespace lotse::test;

namespace {
struct Told {
  std::atomic<int> raised{0}, cleared{0};
  std::string reason;
  state_lmdb::Notices notices() {
    state_lmdb::Notices n;
    n.raise = [this](const char* why, const std::string&) { reason = why, ++raised; };
    n.clear = [this] { ++cleared; };
    return n;
  }
};
std::string value(size_t size = 2000) {
  return std::string(size, 'v');
}

// Puts new keys until one is refused; returns that one's code.
int32_t fill(Store& store, int& keys) {
  for (keys = 0; keys < 100000; ++keys) {
    lotse_state_outcome outcome = store.commit(put("k" + std::to_string(keys), value()));
    if (outcome.code != LOTSE_OK) return outcome.code;
  }
  return LOTSE_OK;
}

// A disk with `bytes` for the file: what is allocated up to there can be written, and no more.
DiskFaults disk_of(std::shared_ptr<uint64_t> bytes) {
  DiskFaults faults;
  faults.write = [bytes](bool, uint64_t end) { return end > *bytes ? ENOSPC : 0; };
  faults.allocate = [bytes](uint64_t end) { return end > *bytes ? ENOSPC : 0; };
  return faults;
}
}  // namespace

TEST_CASE("on a full disk puts fail, reads and deletes go on, and puts work again in the space that deletes made") {
  Directory directory;
  Disk disk(directory.path);
  Told told;
  Store store(directory.path, told.notices());
  auto bytes = std::make_shared<uint64_t>(4 << 20);
  disk.set_faults(disk_of(bytes));
  int keys = 0;
  REQUIRE(fill(store, keys) == LOTSE_NO_SPACE);
  CHECK(told.raised == 1);
  CHECK(told.reason == "StoreFull");
  CHECK(keys > 300);
  CHECK(store.all().size() == static_cast<size_t>(keys));
  for (int i = 0; i < keys; ++i) REQUIRE(store.commit(del("k" + std::to_string(i))).code == LOTSE_OK);
  CHECK(store.all().empty());
  REQUIRE(store.engine->compact(store.facts().revision).ok());
  while (store.facts().swept < store.facts().compacted) std::this_thread::yield();
  CHECK(store.commit(put("again", value())).code == LOTSE_OK);
  CHECK(told.cleared == 1);
}

TEST_CASE("when a full disk gets more room puts work at once") {
  Directory directory;
  Disk disk(directory.path);
  Store store(directory.path);
  auto bytes = std::make_shared<uint64_t>(3 << 20);
  disk.set_faults(disk_of(bytes));
  int keys = 0;
  REQUIRE(fill(store, keys) == LOTSE_NO_SPACE);
  *bytes = 64 << 20;
  CHECK(store.commit(put("again", value())).code == LOTSE_OK);
  CHECK(store.all().size() == static_cast<size_t>(keys) + 1);
}

TEST_CASE("the size limit refuses puts before the map is full, and deletes make room") {
  Directory directory;
  Disk disk(directory.path);
  Store store(directory.path, {}, 2 << 20, 1 << 20);
  int keys = 0;
  REQUIRE(fill(store, keys) == LOTSE_NO_SPACE);
  CHECK(store.facts().bytes_used <= (2 << 20));
  CHECK(store.all().size() == static_cast<size_t>(keys));
  for (int i = 0; i < keys; ++i) REQUIRE(store.commit(del("k" + std::to_string(i))).code == LOTSE_OK);
  REQUIRE(store.engine->compact(store.facts().revision).ok());
  while (store.facts().swept < store.facts().compacted) std::this_thread::yield();
  CHECK(store.commit(put("again", value())).code == LOTSE_OK);
}

TEST_CASE("the map grows while readers are in it") {
  Directory directory;
  Disk disk(directory.path);
  Store store(directory.path);
  std::atomic<bool> stop = false;
  std::atomic<size_t> reads = 0;
  std::thread reader([&] {
    for (; !stop; ++reads) (void)store.all();
  });
  for (int i = 0; i < 60; ++i) REQUIRE(store.commit(put("k" + std::to_string(i), value(200'000))).code == LOTSE_OK);
  stop = true;
  reader.join();
  CHECK(store.all().size() == 60);
  CHECK(reads > 0);
}

TEST_CASE("a write that fails in the middle of a commit changes nothing and costs nothing but itself") {
  Directory directory;
  Disk disk(directory.path);
  Store store(directory.path);
  REQUIRE(store.commit(put("a", "1")).code == LOTSE_OK);
  auto before = store.all();
  for (auto [error, code] : {std::pair{ENOSPC, LOTSE_NO_SPACE},
                             {EDQUOT, LOTSE_NO_SPACE},
                             {EIO, LOTSE_UNAVAILABLE},
                             {EROFS, LOTSE_READ_ONLY}}) {
    DiskFaults faults;
    faults.write = [error = error](bool synced, uint64_t) { return synced ? 0 : error; };
    disk.set_faults(faults);
    CHECK(store.commit({put("a", "2"), put("b", value())}).at(0).code == code);
    CHECK(store.all() == before);
    disk.set_faults({});
    std::this_thread::sleep_for(std::chrono::milliseconds(210));  // the pause before a file is opened again
    lotse_state_outcome outcome = store.commit(put("a", "1"));
    CHECK(outcome.code == LOTSE_OK);
    CHECK(store.facts().revision == outcome.revision);
  }
}

TEST_CASE("a sync that fails is not taken for one that did not") {
  Directory directory;
  Disk disk(directory.path);
  Store store(directory.path);
  REQUIRE(store.commit(put("a", "1")).code == LOTSE_OK);
  DiskFaults faults;
  auto failures = std::make_shared<int>(1);
  faults.sync = [failures] { return (*failures)-- > 0 ? EIO : 0; };
  disk.set_faults(faults);
  CHECK(store.commit(put("a", "2")).code == LOTSE_UNAVAILABLE);
  CHECK(store.all().at("a") == "1");
  CHECK(store.commit(put("a", "3")).code == LOTSE_OK);
  CHECK(store.all().at("a") == "3");
}

TEST_CASE("when the meta page fails the outcome is known after the file was settled, and UNKNOWN if it could not be") {
  Directory directory;
  Disk disk(directory.path);
  auto store = std::make_unique<Store>(directory.path);
  REQUIRE(store->commit(put("a", "1")).code == LOTSE_OK);

  SECTION("settled") {
    auto failures = std::make_shared<int>(1);
    DiskFaults faults;
    faults.write = [failures](bool synced, uint64_t) { return synced && (*failures)-- > 0 ? EIO : 0; };
    disk.set_faults(faults);
    CHECK(store->commit(put("a", "2")).code == LOTSE_UNAVAILABLE);
    CHECK(store->all().at("a") == "1");
  }
  SECTION("not settled") {
    auto broken = std::make_shared<std::atomic<bool>>(false);
    DiskFaults faults;
    faults.write = [broken](bool synced, uint64_t) {
      if (synced) *broken = true;
      return *broken ? EIO : 0;
    };
    disk.set_faults(faults);
    CHECK(store->commit(put("a", "2")).code == LOTSE_UNKNOWN);
    CHECK(store->commit(put("b", "2")).code == LOTSE_UNAVAILABLE);
    disk.set_faults({});
    std::this_thread::sleep_for(std::chrono::milliseconds(210));
  }
  REQUIRE(store->commit(put("c", "3")).code == LOTSE_OK);
  auto all = store->all();
  CHECK(all.at("c") == "3");
  store.reset();
  store = std::make_unique<Store>(directory.path);
  CHECK(store->all() == all);
}

TEST_CASE("on a disk that has become read-only puts and deletes say so, and reads go on") {
  Directory directory;
  Disk disk(directory.path);
  Told told;
  Store store(directory.path, told.notices());
  REQUIRE(store.commit(put("a", "1")).code == LOTSE_OK);
  DiskFaults faults;
  faults.write = [](bool, uint64_t) { return EROFS; };
  faults.allocate = [](uint64_t) { return EROFS; };
  disk.set_faults(faults);
  for (int i = 0; i < 3; ++i) {
    CHECK(store.commit(put("a", "2")).code == LOTSE_READ_ONLY);
    CHECK(store.commit(del("a")).code == LOTSE_READ_ONLY);
    CHECK(store.all().at("a") == "1");
  }
  CHECK(told.reason == "StoreReadOnly");
  disk.set_faults({});
  std::this_thread::sleep_for(std::chrono::milliseconds(210));
  CHECK(store.commit(put("a", "3")).code == LOTSE_OK);
  CHECK(store.all().at("a") == "3");
  CHECK(told.cleared == 1);
}
