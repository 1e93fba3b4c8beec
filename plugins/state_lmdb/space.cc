#include "plugins/state_lmdb/space.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "plugins/state_lmdb/environment.h"

namespace lotse::state_lmdb {

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) close(fd_);
}

state::Status DirectoryLock::take(const std::string& directory) {
  fd_ = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd_ < 0) return explain(("the data directory " + directory + " could not be opened").c_str(), errno);
  if (flock(fd_, LOCK_EX | LOCK_NB) == 0) return {};
  if (errno == EWOULDBLOCK) {
    return {LOTSE_UNAVAILABLE, "the data directory " + directory + " is in use by another process"};
  }
  return explain(("the data directory " + directory + " could not be locked").c_str(), errno);
}

state::Status sync_directory(const std::string& directory) {
  int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int rc = fd < 0 || fsync(fd) != 0 ? errno : 0;
  if (fd >= 0) close(fd);
  return explain(("the data directory " + directory + " could not be synced").c_str(), rc);
}

SpaceAhead::SpaceAhead(std::string path, uint64_t reserve_bytes)
    : path_(std::move(path)), reserve_bytes_(reserve_bytes) {}

SpaceAhead::~SpaceAhead() {
  forget();
}

void SpaceAhead::forget() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  ensured_ = 0;
}

int SpaceAhead::open_file() {
  if (fd_ < 0) fd_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  return fd_;
}

state::Status SpaceAhead::ensure(uint64_t used, uint64_t ahead) {
  uint64_t wanted = used + ahead + reserve_bytes_;
  if (wanted <= ensured_) return {};
  if (open_file() < 0) return explain("the store's file could not be opened for writing", errno);
  // A step more than needed, so that not every batch asks; where that is too much, just what is needed.
  for (uint64_t until : {wanted + kStepBytes, wanted}) {
    int rc;
    do
      rc = fallocate(fd_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(used), static_cast<off_t>(until - used)) == 0 ? 0
                                                                                                                : errno;
    while (rc == EINTR);
    if (rc == 0) {
      ensured_ = until;
      return {};
    }
    if (rc == EOPNOTSUPP || rc == ENOSYS) {
      struct statvfs disk {};
      if (fstatvfs(fd_, &disk) == 0 && disk.f_bavail * disk.f_frsize < ahead + reserve_bytes_)
        return explain("the disk", ENOSPC);
      return {};
    }
    if (until == wanted) return explain("the disk has no room for more", rc);
  }
  return {};
}

bool SpaceAhead::disk_full() const {
  struct statvfs disk {};
  return statvfs(path_.c_str(), &disk) == 0 && disk.f_bavail * disk.f_frsize < 256 * 1024;
}

state::Status settle(const std::string& path, size_t page_size) {
  int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  int rc = fd < 0 ? errno : 0;
  std::string pages(2 * page_size, '\0');
  if (rc == 0 && pread(fd, pages.data(), pages.size(), 0) != static_cast<ssize_t>(pages.size())) rc = EIO;
  if (rc == 0 && pwrite(fd, pages.data(), pages.size(), 0) != static_cast<ssize_t>(pages.size()))
    rc = errno ? errno : EIO;
  if (rc == 0 && fdatasync(fd) != 0) rc = errno;
  if (fd >= 0) close(fd);
  return explain("the store's file could not be synced", rc);
}

state::Status set_aside_lock_file(const std::string& path) {
  constexpr off_t kBytes = 40 * 1024;  // more than 512 readers need
  int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  int rc = fd < 0 ? errno : 0;
  if (rc == 0 && fallocate(fd, 0, 0, kBytes) != 0 && errno != EOPNOTSUPP && errno != ENOSYS) rc = errno;
  if (fd >= 0) close(fd);
  return explain("the store's lock file could not be made", rc);
}

}  // namespace lotse::state_lmdb
