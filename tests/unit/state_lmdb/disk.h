// A disk between the store and the kernel: the test program defines pwrite, writev, fdatasync, fsync, fallocate and
// rename itself, LMDB and the plugin call these, and what they do to files below one directory is recorded, or made to
// fail. Nothing is synced for real, which makes the tests quick.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lotse::test {

// What happened to the files, in order.
struct DiskStep {
  enum Kind { kWrite, kSync, kRename, kSyncDirectory, kNote } kind;
  ino_t file = 0;
  uint64_t offset = 0;
  std::string bytes;    // kWrite
  bool synced = false;  // kWrite to a descriptor opened with O_DSYNC
  std::string name;     // kRename: the new one
  uint64_t note = 0;    // kNote
};

// Which calls fail, with an errno; 0: it is done. `end` is where a write or fallocate would end.
struct DiskFaults {
  std::function<int(bool synced, uint64_t end)> write = nullptr;
  std::function<int()> sync = nullptr;
  std::function<int(uint64_t end)> allocate = nullptr;
};

class Disk {
 public:
  // Recording begins empty. One at a time.
  explicit Disk(std::string directory);
  ~Disk();
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  std::vector<DiskStep> take_steps();
  void note(uint64_t number);  // a mark among the steps
  void set_faults(DiskFaults faults);
  size_t syncs() const;
};

}  // namespace lotse::test
