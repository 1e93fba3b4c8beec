// Preloaded into lotsed: counts the syncs that it asks of the kernel, in the file that LOTSE_BENCH_SYNCS names (8
// bytes). LMDB syncs its data with fdatasync and its meta page by a write with O_DSYNC.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {
std::atomic<uint64_t>* counter() {
  static std::atomic<uint64_t>* const place = [] {
    static std::atomic<uint64_t> nowhere;
    const char* path = getenv("LOTSE_BENCH_SYNCS");
    const int fd = path != nullptr ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return &nowhere;
    void* mapped = mmap(nullptr, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return mapped == MAP_FAILED ? &nowhere : static_cast<std::atomic<uint64_t>*>(mapped);
  }();
  return place;
}
}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))
EXPORT int fdatasync(int fd) {
  ++*counter();
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}
EXPORT int fsync(int fd) {
  ++*counter();
  return static_cast<int>(syscall(SYS_fsync, fd));
}
EXPORT ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  if ((fcntl(fd, F_GETFL) & O_DSYNC) != 0) ++*counter();
  return syscall(SYS_pwrite64, fd, data, size, offset);
}
