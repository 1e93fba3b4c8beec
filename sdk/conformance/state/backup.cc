// Backup and restore.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "sdk/conformance/state/driver.h"

namespace lotse::check {
namespace {
class File {
 public:
  File() : fd(memfd_create("backup", MFD_CLOEXEC)) {}
  ~File() { close(fd); }
  void rewind() { lseek(fd, 0, SEEK_SET); }
  std::string read_all() {
    std::string out(static_cast<size_t>(lseek(fd, 0, SEEK_END)), '\0');
    rewind();
    if (read(fd, out.data(), out.size()) != static_cast<ssize_t>(out.size())) fail("the backup cannot be read back");
    return out;
  }
  void write_all(const std::string& text) {
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
      fail("no memory file");
    rewind();
  }
  const int fd;
};
}  // namespace

LOTSE_CHECK(state, "backup.round-trip",
            "a backup holds all current entries; restoring it replaces everything by them") {
  Store store(subject);
  for (int i = 0; i < 3000; ++i)
    store.must(put("k" + std::to_string(i % 1000), std::string(static_cast<size_t>(i % 200), 'v')));
  store.must(put(std::string(1000, 'L'), "long key"));
  store.must(put(std::string("z\0\xff", 3), std::string(3'000'000, 'z')));
  store.must(del("k5"));
  auto before = store.list();
  auto info = store.info();
  File file;
  expect_equal(store.backup(file.fd), LOTSE_OK, "the backup's code");
  expect(file.read_all().starts_with(std::string("LOTSEBAK\x01")), "the file does not begin as it should");
  for (int i = 0; i < 500; ++i) store.must(del("k" + std::to_string(i)));
  store.must(put("new", "x"));
  uint64_t grown = store.info().revision;
  auto watcher = store.watch("", "", 0);
  auto slow = store.watch("", "", 1, 0);
  file.rewind();
  expect_equal(store.restore(file.fd, 0), LOTSE_OK, "the restore's code");
  expect(store.list() == before, "the entries are not those of the backup");
  auto after = store.info();
  expect(after.revision >= grown && after.revision >= info.revision, "the revision fell");
  expect_equal(after.compacted, after.revision, "the compacted revision");
  expect(std::string(after.identity) != info.identity, "the identity is still the old one");
  expect_equal(watcher->wait_end(), LOTSE_COMPACTED, "the code of the watch's end");
  expect_equal(slow->wait_end(), LOTSE_COMPACTED, "the code of the slow watch's end");
  expect_equal(store.range({.revision = grown}).code, LOTSE_COMPACTED, "the code of a range at an older revision");
  auto late = store.watch("", "", grown + 1);
  expect_equal(late->wait_end(), LOTSE_COMPACTED,
               "the code of a watch that goes on after the old store's last revision");
  uint64_t next = store.must(put("k1", "again", store.get("k1")->revision));
  expect(next > after.revision, "the revision did not grow");
  store.must(put("k5", "again", 0));
}

LOTSE_CHECK(state, "backup.floor",
            "the revision afterwards is at least the floor, and who is below or at it starts again") {
  Store store(subject);
  store.must(put("a", "1"));
  File file;
  expect_equal(store.backup(file.fd), LOTSE_OK, "the backup's code");
  file.rewind();
  expect_equal(store.restore(file.fd, 1'000'000), LOTSE_OK, "the restore's code");
  auto info = store.info();
  expect(info.revision >= 1'000'000, "the revision is below the floor");
  auto watcher = store.watch("", "", 1'000'001);
  if (info.compacted > 1'000'001)
    expect_equal(watcher->wait_end(), LOTSE_COMPACTED, "the code of a watch from after the floor");
  expect(store.must(put("b", "1")) > info.revision, "the revision did not grow");
  if (store.info().ephemeral == 0) {
    auto all = store.list();
    watcher.reset();
    store.restart();
    expect(store.list() == all, "the restored store is another one after a restart");
    expect(store.info().revision > 1'000'000, "the revision fell with the restart");
  }
}

LOTSE_CHECK(state, "backup.empty", "an empty store can be backed up and restored") {
  Store store(subject);
  File file;
  expect_equal(store.backup(file.fd), LOTSE_OK, "the backup's code");
  store.must(put("a", "1"));
  file.rewind();
  expect_equal(store.restore(file.fd, 0), LOTSE_OK, "the restore's code");
  expect_equal(store.list().size(), 0u, "the number of keys");
}

LOTSE_CHECK(state, "backup.damaged", "a damaged file changes nothing at all") {
  Store store(subject);
  for (int i = 0; i < 50; ++i) store.must(put("k" + std::to_string(i), std::string(50, 'v')));
  File file;
  expect_equal(store.backup(file.fd), LOTSE_OK, "the backup's code");
  std::string good = file.read_all();
  store.must(put("k1", "changed"));
  auto before = store.list();
  auto info = store.info();
  auto watcher = store.watch("", "", 0);
  std::mt19937_64 random(subject.seed);
  for (int i = 0; i < 60; ++i) {
    std::string bad = good;
    if (i == 0)
      bad.clear();
    else if (i % 2 == 0)
      bad.resize(random() % bad.size());
    else
      bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
    file.write_all(bad);
    int32_t code = store.restore(file.fd, 0);
    expect(code != LOTSE_OK, "damage number " + std::to_string(i) + " was taken for a backup");
  }
  expect(store.list() == before, "the store has changed");
  expect_equal(store.info().revision, info.revision, "the revision");
  expect_text(store.info().identity, info.identity, "the identity");
  expect(!watcher->ended(), "a watch ended");
  file.write_all(good);
  expect_equal(store.restore(file.fd, 0), LOTSE_OK, "the restore's code with the good file");
}

LOTSE_CHECK(state, "backup.hot", "a backup is of one revision while commits and compactions go on") {
  Store store(subject);
  // Every round writes the same number to all keys in order: a backup of one revision holds at most two numbers.
  std::atomic<bool> stop = false, broken = false;
  std::vector<Op> first;
  for (int k = 0; k < 3000; ++k) first.push_back(put("k" + std::to_string(10000 + k), "0"));
  store.commit(first);
  std::thread writer([&] {
    try {
      for (int round = 1; !stop; ++round) {
        std::vector<Op> ops;
        for (int k = 0; k < 3000; ++k) ops.push_back(put("k" + std::to_string(10000 + k), std::to_string(round)));
        store.commit(ops);
        store.compact(store.info().revision);
      }
    } catch (const Failed&) {
      broken = true;
    }
  });
  std::vector<std::unique_ptr<File>> files;
  for (int i = 0; i < 5; ++i) {
    files.push_back(std::make_unique<File>());
    expect_equal(store.backup(files.back()->fd), LOTSE_OK, "the backup's code");
  }
  stop = true;
  writer.join();
  expect(!broken, "the writer failed");
  for (auto& file : files) {
    file->rewind();
    expect_equal(store.restore(file->fd, 0), LOTSE_OK, "the restore's code");
    auto entries = store.list();
    expect_equal(entries.size(), 3000u, "the number of keys");
    int before = std::stoi(entries.front().value), after = std::stoi(entries.back().value);
    expect(before == after || before == after + 1, "the backup is of more than one revision");
    for (size_t i = 1; i < entries.size(); ++i) {
      expect(std::stoi(entries[i].value) <= std::stoi(entries[i - 1].value), "the backup is of more than one revision");
    }
  }
}

LOTSE_CHECK(state, "backup.keeps-expiry", "a key that expires still does after a restore") {
  Store store(subject);
  Op op = put("a", "1");
  op.ttl_ns = 2'000'000'000;
  store.must(op);
  store.must(put("b", "1"));
  File file;
  expect_equal(store.backup(file.fd), LOTSE_OK, "the backup's code");
  file.rewind();
  expect_equal(store.restore(file.fd, 0), LOTSE_OK, "the restore's code");
  auto watcher = store.watch("", "", store.info().revision + 1);
  auto events = watcher->wait_events(1);
  expect_text(events.at(0).key, "a", "the key that expired");
  expect(store.get("b").has_value(), "the key without a ttl is gone");
}

}  // namespace lotse::check
