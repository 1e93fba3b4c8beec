#include "core/base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "core/base/ids.h"

namespace lotse {
namespace {

struct Fd {
  int fd;
  ~Fd() {
    if (fd >= 0) ::close(fd);
  }
};

std::string dir_of(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status sync_dir(const std::string& dir) {
  Fd fd{::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (fd.fd < 0) return errno_status("open", dir, errno);
  // Some filesystems cannot sync a directory and need not.
  if (::fsync(fd.fd) != 0 && errno != EINVAL) return errno_status("sync", dir, errno);
  return {};
}

Status write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno_status("write", path, errno);
    bytes.remove_prefix(size_t(wrote));
  }
  return {};
}

Status write_new(const std::string& path, std::string_view bytes, mode_t mode) {
  Fd fd{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
  if (fd.fd < 0) return errno_status("create", path, errno);
  if (::fchmod(fd.fd, mode) != 0) return errno_status("chmod", path, errno);
  LOTSE_CHECK_OK(write_all(fd.fd, bytes, path));
  if (::fsync(fd.fd) != 0) return errno_status("sync", path, errno);
  return {};
}

}  // namespace

Status errno_status(std::string_view action, std::string_view path, int error) {
  Reason reason = Reason::kInternalError;
  if (error == ENOENT || error == ENOTDIR) reason = Reason::kNotFound;
  if (error == EACCES || error == EPERM) reason = Reason::kForbidden;
  if (error == EEXIST) reason = Reason::kAlreadyExists;
  if (error == ENOSPC || error == EDQUOT || error == EROFS) reason = Reason::kInsufficientStorage;
  return Status(reason, fmt::format("{} {}: {}", action, path, std::generic_category().message(error)));
}

Result<std::string> read_file(const std::string& path, size_t max) {
  Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};  // a fifo must not hold us up
  if (fd.fd < 0) return errno_status("open", path, errno);
  struct stat facts;
  if (::fstat(fd.fd, &facts) != 0) return errno_status("stat", path, errno);
  if (S_ISDIR(facts.st_mode)) return errno_status("read", path, EISDIR);
  std::string out;
  // Sizes lie in /proc and /sys, so the size is a hint only.
  size_t chunk = S_ISREG(facts.st_mode) && facts.st_size > 0 ? size_t(facts.st_size) + 1 : 4096;
  while (true) {
    size_t had = out.size();
    out.resize(had + std::min(std::max<size_t>(chunk, 4096), max + 1 - had));
    ssize_t got = ::read(fd.fd, out.data() + had, out.size() - had);
    int error = errno;
    out.resize(had + size_t(std::max<ssize_t>(got, 0)));
    if (got < 0 && error == EINTR) continue;
    if (got < 0) return errno_status("read", path, error);
    if (got == 0) return out;
    if (out.size() > max) {
      return Status(Reason::kRequestEntityTooLarge, fmt::format("{} has more than {} bytes", path, max));
    }
  }
}

Status write_file_atomically(const std::string& path, std::string_view bytes, mode_t mode) {
  std::string temporary = fmt::format("{}.{}.tmp", path, make_suffix(8));
  Status status = write_new(temporary, bytes, mode);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) status = errno_status("rename to", path, errno);
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  return sync_dir(dir_of(path));
}

Status make_dirs(const std::string& path, mode_t mode) {
  if (path.empty()) return Status(Reason::kBadRequest, "the path of a directory is empty");
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) return errno_status("mkdir", part, errno);
    if (end == std::string::npos) break;
  }
  struct stat facts;
  if (::stat(path.c_str(), &facts) != 0) return errno_status("stat", path, errno);
  if (!S_ISDIR(facts.st_mode)) return errno_status("mkdir", path, ENOTDIR);
  return {};
}

bool is_open_to_others(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && (facts.st_mode & 077) != 0;
}

Status remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return errno == ENOENT ? Status() : errno_status("remove", path, errno);
  return sync_dir(dir_of(path));
}

}  // namespace lotse
