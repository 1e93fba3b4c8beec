// The disk under the store's file: the lock on its directory, blocks set aside, and what the kernel knows of it.
#pragma once

#include <lotse/state/storage.hpp>
#include <string>

namespace lotse::state_lmdb {

// An exclusive lock on a directory, for as long as the object lives.
class DirectoryLock {
 public:
  ~DirectoryLock();
  state::Status take(const std::string& directory);
  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

state::Status sync_directory(const std::string& directory);

// Blocks beyond the end of what the file uses, so that deletes go on where puts find the disk full.
//
// They are set aside with fallocate(KEEP_SIZE): the file's size does not change and LMDB knows nothing of it. Where the
// file system cannot do that, the free space of the disk is asked instead.
class SpaceAhead {
 public:
  SpaceAhead(std::string path, uint64_t reserve_bytes);
  ~SpaceAhead();
  SpaceAhead(const SpaceAhead&) = delete;
  SpaceAhead& operator=(const SpaceAhead&) = delete;

  // Makes sure that `ahead` bytes beyond `used` can be written, and the reserve after them.
  state::Status ensure(uint64_t used, uint64_t ahead);
  bool disk_full() const;  // as far as the file system tells
  void forget();           // the file is another one now

 private:
  static constexpr uint64_t kStepBytes = 1024 * 1024;
  int open_file();
  const std::string path_;
  const uint64_t reserve_bytes_;
  int fd_ = -1;
  uint64_t ensured_ = 0;  // up to here blocks are set aside
};

// Writes both meta pages once more as the kernel has them and syncs the file. After a failed write nobody knows which
// of the two a power cut would bring back, and with it pages that are free by now; after this it is what is read.
state::Status settle(const std::string& path, size_t page_size);

// LMDB writes to its lock file through a mapping: without blocks of its own a full disk would be a SIGBUS.
state::Status set_aside_lock_file(const std::string& path);

}  // namespace lotse::state_lmdb
