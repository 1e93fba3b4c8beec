#include "unit/state_lmdb/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <mutex>

namespace lotse::test {
namespace {
struct State {
  std::mutex mutex;
  bool active = false;
  std::string directory;
  std::vector<DiskStep> steps;
  DiskFaults faults;
  size_t syncs = 0;
  std::string scratch;
};
State& state() {
  static State* one = new State;
  return *one;
}

// Whether the descriptor is one of the store's (not its lock file).
bool ours(int fd, bool& directory) {
  char link[64], path[512];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path);
  if (size <= 0) return false;
  std::string_view found(path, static_cast<size_t>(size));
  directory = found == state().directory;
  return directory || (found.starts_with(state().directory + "/store.mdb") && !found.ends_with("-lock"));
}
ino_t inode(int fd) {
  struct stat found {};
  fstat(fd, &found);
  return found.st_ino;
}

// Records a write; returns an errno if it is to fail.
int record_write(int fd, const iovec* parts, int count, uint64_t offset) {
  bool directory = false;
  if (!state().active || !ours(fd, directory)) return 0;
  DiskStep step{DiskStep::kWrite, inode(fd), offset, "", (fcntl(fd, F_GETFL) & O_DSYNC) != 0, "", 0};
  for (int i = 0; i < count; ++i) step.bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  std::lock_guard lock(state().mutex);
  int error = state().faults.write ? state().faults.write(step.synced, offset + step.bytes.size()) : 0;
  if (error == 0) state().steps.push_back(std::move(step));
  return error;
}
int record_sync(int fd) {
  bool directory = false;
  if (!state().active || !ours(fd, directory)) return -1;
  std::lock_guard lock(state().mutex);
  ++state().syncs;
  int error = state().faults.sync ? state().faults.sync() : 0;
  if (error == 0)
    state().steps.push_back({directory ? DiskStep::kSyncDirectory : DiskStep::kSync, inode(fd), 0, "", false, "", 0});
  return error;
}
// A descriptor with O_DSYNC would sync for real: the write goes through another one.
ssize_t write_unsynced(int fd, const void* data, size_t size, off_t offset) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  int other = open(link, O_WRONLY | O_CLOEXEC);
  ssize_t wrote = syscall(SYS_pwrite64, other, data, size, offset);
  close(other);
  return wrote;
}
int failing(int error) {
  errno = error;
  return -1;
}
}  // namespace

Disk::Disk(std::string directory) {
  std::lock_guard lock(state().mutex);
  state().directory = std::move(directory);
  state().steps.clear();
  state().faults = {};
  state().syncs = 0;
  state().active = true;
}
Disk::~Disk() {
  std::lock_guard lock(state().mutex);
  state().active = false;
  state().faults = {};
}
std::vector<DiskStep> Disk::take_steps() {
  std::lock_guard lock(state().mutex);
  return std::exchange(state().steps, {});
}
void Disk::note(uint64_t number) {
  std::lock_guard lock(state().mutex);
  state().steps.push_back({DiskStep::kNote, 0, 0, "", false, "", number});
}
void Disk::set_faults(DiskFaults faults) {
  std::lock_guard lock(state().mutex);
  state().faults = std::move(faults);
}
size_t Disk::syncs() const {
  std::lock_guard lock(state().mutex);
  return state().syncs;
}

}  // namespace lotse::test

// These take the place of the C library's for the whole program, LMDB included.
#define LOTSE_INTERPOSE extern "C" __attribute__((visibility("default")))
using namespace lotse::test;

LOTSE_INTERPOSE ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  iovec part{const_cast<void*>(data), size};
  if (int error = record_write(fd, &part, 1, static_cast<uint64_t>(offset)); error != 0) return failing(error);
  if (state().active && (fcntl(fd, F_GETFL) & O_DSYNC) != 0) return write_unsynced(fd, data, size, offset);
  return syscall(SYS_pwrite64, fd, data, size, offset);
}
LOTSE_INTERPOSE ssize_t writev(int fd, const iovec* parts, int count) {
  if (state().active) {
    off_t at = lseek(fd, 0, SEEK_CUR);
    if (at >= 0) {
      if (int error = record_write(fd, parts, count, static_cast<uint64_t>(at)); error != 0) return failing(error);
    }
  }
  return syscall(SYS_writev, fd, parts, count);
}
LOTSE_INTERPOSE ssize_t write(int fd, const void* data, size_t size) {
  bool directory = false;
  if (state().active && ours(fd, directory)) {
    iovec part{const_cast<void*>(data), size};
    if (int error = record_write(fd, &part, 1, static_cast<uint64_t>(lseek(fd, 0, SEEK_CUR))); error != 0)
      return failing(error);
  }
  return syscall(SYS_write, fd, data, size);
}
LOTSE_INTERPOSE int fdatasync(int fd) {
  int error = record_sync(fd);
  if (error < 0) return static_cast<int>(syscall(SYS_fdatasync, fd));
  return error == 0 ? 0 : failing(error);
}
LOTSE_INTERPOSE int fsync(int fd) {
  int error = record_sync(fd);
  if (error < 0) return static_cast<int>(syscall(SYS_fsync, fd));
  return error == 0 ? 0 : failing(error);
}
LOTSE_INTERPOSE int fallocate(int fd, int mode, off_t offset, off_t length) {
  bool directory = false;
  if (state().active && ours(fd, directory)) {
    std::lock_guard lock(state().mutex);
    int error = state().faults.allocate ? state().faults.allocate(static_cast<uint64_t>(offset + length)) : 0;
    if (error != 0) return failing(error);
  }
  return static_cast<int>(syscall(SYS_fallocate, fd, mode, offset, length));
}
LOTSE_INTERPOSE int rename(const char* from, const char* to) noexcept {
  if (state().active && std::string_view(to).starts_with(state().directory)) {
    struct stat found {};
    stat(from, &found);
    std::lock_guard lock(state().mutex);
    state().steps.push_back(
        {DiskStep::kRename, found.st_ino, 0, "", false, std::string(to).substr(state().directory.size() + 1), 0});
  }
  return static_cast<int>(syscall(SYS_rename, from, to));
}
