// What a power cut leaves of the store's file, at every point, must open and hold everything acknowledged.
//
// The writes and syncs of a run are recorded. For each point in the recording the file is made anew as a disk could
// hold it then: what was synced is there; of what was written since then each write is there, or not, or only some of
// its 512-byte sectors are, independently of each other; a rename may or may not have reached the disk before the
// directory was synced. Each such file is opened by the same code in a process of its own. With the syncs taken out of
// the recording the same check has to fail.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "unit/state_lmdb/disk.h"
#include "unit/state_lmdb/store.h"

using namespace lotse;
using namespace lotse::test;

namespace {
using Content = std::map<std::string, std::string>;

struct Recording {
  std::vector<DiskStep> steps;     // with a note of the revision where something was acknowledged
  std::map<uint64_t, Content> at;  // what the store holds at each revision
};

uint64_t number_from_environment(const char* name, uint64_t fallback) {
  const char* text = getenv(name);
  return text != nullptr ? strtoull(text, nullptr, 0) : fallback;
}

void commit_random(Store& store, Disk& disk, Recording& recording, std::mt19937_64& random) {
  std::vector<Change> changes;
  for (uint64_t n = 1 + random() % 6; n > 0; --n) {
    std::string key = "key" + std::to_string(random() % 40);
    size_t size = random() % 5 == 0 ? random() % 9000 : random() % 200;
    if (random() % 4 == 0)
      changes.push_back(del(key));
    else
      changes.push_back(put(key, std::string(size, static_cast<char>('a' + random() % 26))));
  }
  auto outcomes = store.commit(changes, [&](const Store::Outcomes& all) {
    uint64_t last = 0;
    for (const auto& outcome : all) last = std::max(last, outcome.revision);
    if (last != 0) disk.note(last);
  });
  for (size_t i = 0; i < changes.size(); ++i) {
    REQUIRE(outcomes[i].code == LOTSE_OK);
    if (outcomes[i].revision == 0) continue;
    Content content = recording.at.rbegin()->second;
    if (changes[i].kind == LOTSE_STATE_PUT)
      content[changes[i].key] = changes[i].value;
    else
      content.erase(changes[i].key);
    recording.at[outcomes[i].revision] = std::move(content);
  }
}

void restore_own_backup(Store& store, Disk& disk, Recording& recording) {
  int fd = memfd_create("backup", MFD_CLOEXEC);
  REQUIRE(store.engine->backup(fd).ok());
  Content content = recording.at.rbegin()->second;
  lseek(fd, 0, SEEK_SET);
  REQUIRE(store.engine->restore(fd, 0).ok());
  recording.at[store.facts().revision] = content;
  disk.note(store.facts().revision);
  close(fd);
}

Recording record(uint64_t seed, int commits) {
  std::mt19937_64 random(seed);
  Directory directory;
  Disk disk(directory.path);
  Recording recording;
  recording.at[1] = {};
  auto store = std::make_unique<Store>(directory.path);
  for (int i = 0; i < commits; ++i) {
    commit_random(*store, disk, recording, random);
    if (random() % 8 == 0) REQUIRE(store->engine->compact(store->facts().revision - random() % 3).ok());
    if (random() % 16 == 0) store.reset(), store = std::make_unique<Store>(directory.path);
    if (i == commits * 2 / 3) restore_own_backup(*store, disk, recording);
  }
  store.reset();
  recording.steps = disk.take_steps();
  return recording;
}

enum class Keep { kAllSyncs, kNoDataSyncs, kNoSyncs };

// The disk as it may be after `cut` steps.
class CutDisk {
 public:
  CutDisk(const Recording& recording, size_t cut, Keep keep, uint64_t seed) : random_(seed) {
    // How careless the disk was this time: from losing all to losing next to nothing.
    static constexpr uint64_t kPercent[] = {0, 10, 50, 90, 100};
    percent_ = kPercent[random_() % 5];
    for (size_t i = 0; i < cut; ++i) take(recording.steps[i], keep);
  }
  uint64_t acknowledged() const { return acknowledged_; }
  std::string file() {
    for (const DiskStep* rename : renames_) {
      if (random_() % 2 == 0) break;  // renames reach the disk in order
      named_ = rename->file;
    }
    if (named_ == 0) return "";
    for (const DiskStep* write : pending_) {
      if (write->file == named_) apply(*write, false);
    }
    return files_[named_];
  }

 private:
  void take(const DiskStep& step, Keep keep) {
    switch (step.kind) {
      case DiskStep::kWrite:
        if (step.synced && keep != Keep::kNoSyncs) {
          apply(step, true);
        } else {
          pending_.push_back(&step);
        }
        break;
      case DiskStep::kSync:
        if (keep != Keep::kAllSyncs) break;
        for (const DiskStep* write : pending_) {
          if (write->file == step.file) apply(*write, true);
        }
        std::erase_if(pending_, [&](const DiskStep* write) { return write->file == step.file; });
        break;
      case DiskStep::kRename:
        renames_.push_back(&step);
        break;
      case DiskStep::kSyncDirectory:
        if (!renames_.empty()) named_ = renames_.back()->file;
        renames_.clear();
        break;
      case DiskStep::kNote:
        acknowledged_ = step.note;
        break;
    }
  }
  void apply(const DiskStep& write, bool whole) {
    std::string& file = files_[write.file];
    constexpr uint64_t kSector = 512;
    bool torn = !whole && random_() % 2 == 0;
    if (!whole && !torn && random_() % 100 >= percent_) return;
    for (uint64_t at = 0; at < write.bytes.size();) {
      uint64_t size = std::min<uint64_t>(kSector - (write.offset + at) % kSector, write.bytes.size() - at);
      if (!torn || random_() % 100 < percent_) {
        if (file.size() < write.offset + at + size) file.resize(write.offset + at + size, '\0');
        file.replace(write.offset + at, size, write.bytes, at, size);
      }
      at += size;
    }
  }
  std::mt19937_64 random_;
  uint64_t percent_;
  std::map<ino_t, std::string> files_;
  std::vector<const DiskStep*> pending_, renames_;
  ino_t named_ = 0;
  uint64_t acknowledged_ = 0;
};

// Exit code of the process that looks at what a cut left: 0 is good.
int look(const std::string& directory, const Recording& recording, uint64_t acknowledged) {
  Disk disk(directory);  // nothing is synced for real
  Store store(directory);
  if (!store.status.ok()) return 2;
  state::Facts facts = store.facts();
  if (facts.revision < std::max<uint64_t>(acknowledged, 1)) return 3;
  auto content = recording.at.find(facts.revision);
  if (content == recording.at.end() || store.all() != content->second) return 4;
  // The history that is kept leads from the compacted revision to the present.
  Content replayed = store.all(facts.compacted);
  uint64_t next = facts.compacted + 1;
  while (next <= facts.revision) {
    state::EventChunk chunk;
    if (!store.engine->storage().read_log(next, "", "", 1 << 20, chunk).ok()) return 5;
    for (const auto& e : chunk.events()) {
      std::string key(state::view(chunk.bytes(e.key_at, e.key_size)));
      std::string previous(state::view(chunk.bytes(e.previous_at, e.previous_size)));
      if ((e.previous_revision != 0) != replayed.contains(key) ||
          (e.previous_revision != 0 && replayed[key] != previous))
        return 6;
      if (e.kind == LOTSE_STATE_PUT)
        replayed[key] = state::view(chunk.bytes(e.value_at, e.value_size));
      else
        replayed.erase(key);
    }
    next = chunk.progress + 1;
  }
  if (replayed != content->second) return 7;
  if (store.commit(put("after", "the cut")).code != LOTSE_OK || store.all().at("after") != "the cut") return 8;
  return 0;
}

int look_apart(const CutDisk& cut, const std::string& file, const Recording& recording) {
  Directory directory;
  if (!file.empty()) {
    int fd = open((directory.path + "/store.mdb").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(write(fd, file.data(), file.size()) == static_cast<ssize_t>(file.size()));
    close(fd);
  }
  pid_t pid = fork();
  if (pid == 0) {
    // A file that is broken may crash its reader, here without a word.
    int null = open("/dev/null", O_WRONLY);
    dup2(null, 2);
    for (int signal : {SIGSEGV, SIGBUS, SIGABRT}) ::signal(signal, SIG_DFL);
    alarm(20);
    _exit(look(directory.path, recording, cut.acknowledged()));
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

struct Tally {
  size_t cuts = 0, bad = 0;
  std::string first;
};

Tally cut_everywhere(const Recording& recording, Keep keep, uint64_t seed, size_t versions, size_t stride,
                     size_t bad_enough) {
  Tally tally;
  for (size_t cut = 0; cut <= recording.steps.size() && tally.bad < bad_enough; cut += stride) {
    for (size_t version = 0; version < versions; ++version) {
      uint64_t own_seed = seed * 1'000'003 + cut * 31 + version;
      CutDisk disk(recording, cut, keep, own_seed);
      std::string file = disk.file();
      int code = look_apart(disk, file, recording);
      ++tally.cuts;
      if (code == 0) continue;
      if (tally.bad++ == 0) {
        tally.first = "cut after step " + std::to_string(cut) + ", seed " + std::to_string(own_seed) + ", code " +
                      std::to_string(code);
      }
    }
  }
  return tally;
}
}  // namespace

TEST_CASE("after a power cut at any point the store opens and holds everything acknowledged") {
  uint64_t seed = number_from_environment("LOTSE_SEED", 1);
  size_t versions = number_from_environment("LOTSE_POWER_CUT_VERSIONS", 1);
  Recording recording = record(seed, static_cast<int>(number_from_environment("LOTSE_POWER_CUT_COMMITS", 60)));
  Tally tally = cut_everywhere(recording, Keep::kAllSyncs, seed, versions, 1, 1);
  INFO(tally.first);
  CHECK(tally.bad == 0);
  CHECK(tally.cuts > 400);
  WARN(tally.cuts << " cuts");
}

TEST_CASE("the power-cut check fails when the syncs are taken out") {
  Recording recording = record(7, 40);
  CHECK(cut_everywhere(recording, Keep::kNoSyncs, 7, 1, 3, 3).bad == 3);
  CHECK(cut_everywhere(recording, Keep::kNoDataSyncs, 7, 1, 3, 3).bad == 3);
}
