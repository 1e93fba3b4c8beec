// Opening what lies below a directory that a container may write to: no symbolic link is followed and nothing above the
// directory is reached, whatever is changed meanwhile (openat2's RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS). [worker]
#pragma once
#include <sys/types.h>

#include <string>
#include <utility>

#include "core/base/result.h"

namespace lotse::agent {

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& o) noexcept : fd_(std::exchange(o.fd_, -1)) {}
  Fd& operator=(Fd&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

enum class Links : uint8_t { kNone, kBeneath };  // refuse all, or follow those that stay below
Result<Fd> open_beneath(const std::string& root, const std::string& path, int flags, mode_t mode = 0,
                        Links links = Links::kNone);
// Directories of `path` that are missing below `root` are made; O_PATH of the last one.
Result<Fd> make_dirs_beneath(const std::string& root, const std::string& path, mode_t mode);
// Everything in a directory and itself, not following links and not crossing mounts. Ok when it is not there.
Status remove_tree(const std::string& path);

}  // namespace lotse::agent
