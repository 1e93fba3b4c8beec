#include "core/agent/safe_path.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/file.h"

namespace lotse::agent {
namespace {

constexpr int kDepthMax = 128;

Result<Fd> open_at(int root, const std::string& path, int flags, mode_t mode, Links links, const std::string& shown) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (links == Links::kNone ? RESOLVE_NO_SYMLINKS : 0);
  for (int tries = 0; tries < 8; ++tries) {
    long fd = syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    if (errno != EAGAIN) break;  // something was renamed meanwhile
  }
  return errno_status("open", shown, errno);
}

// nlink and device are looked at through descriptors only, so that a link put in the way is unlinked and not followed.
Status remove_children(int dir, dev_t device, const std::string& shown, int depth) {
  if (depth > kDepthMax) return Status(Reason::kInvalid, "too deep to remove: " + shown);
  int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* list = copy < 0 ? nullptr : fdopendir(copy);
  if (!list) {
    int error = errno;
    if (copy >= 0) close(copy);
    return errno_status("read", shown, error);
  }
  Status status;
  while (auto* entry = readdir(list)) {
    std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (unlinkat(dir, name.c_str(), 0) == 0) continue;
    if (errno != EISDIR && errno != EPERM) {
      status = errno_status("remove", shown + "/" + name, errno);
      continue;
    }
    Fd child(openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat st {};
    if (!child || fstat(child.get(), &st) != 0) {
      status = errno_status("open", shown + "/" + name, errno);
      continue;
    }
    if (st.st_dev != device) {
      status = Status(Reason::kConflict, "still mounted: " + shown + "/" + name);
      continue;
    }
    if (auto s = remove_children(child.get(), device, shown + "/" + name, depth + 1); !s.ok()) status = s;
    else if (unlinkat(dir, name.c_str(), AT_REMOVEDIR) != 0) status = errno_status("remove", shown + "/" + name, errno);
  }
  closedir(list);
  return status;
}

}  // namespace

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

Result<Fd> open_beneath(const std::string& root, const std::string& path, int flags, mode_t mode, Links links) {
  Fd dir(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return errno_status("open", root, errno);
  return open_at(dir.get(), path.empty() ? "." : path, flags, mode, links, root + "/" + path);
}

Result<Fd> make_dirs_beneath(const std::string& root, const std::string& path, mode_t mode) {
  LOTSE_TRY(Fd at, open_beneath(root, "", O_PATH | O_DIRECTORY));
  size_t start = 0;
  while (start < path.size()) {
    auto slash = std::min(path.find('/', start), path.size());
    auto part = path.substr(start, slash - start);
    start = slash + 1;
    if (part.empty() || part == ".") continue;
    bool made = mkdirat(at.get(), part.c_str(), mode) == 0;
    if (!made && errno != EEXIST) return errno_status("mkdir", root + "/" + path, errno);
    LOTSE_TRY(at, open_at(at.get(), part, O_PATH | O_DIRECTORY, 0, Links::kNone, root + "/" + path));
  }
  return at;
}

Status remove_tree(const std::string& path) {
  Fd dir(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir) {
    if (errno == ENOENT) return {};
    if (errno == ENOTDIR || errno == ELOOP) {
      return unlink(path.c_str()) == 0 || errno == ENOENT ? Status() : errno_status("remove", path, errno);
    }
    return errno_status("open", path, errno);
  }
  struct stat st {};
  if (fstat(dir.get(), &st) != 0) return errno_status("stat", path, errno);
  LOTSE_CHECK_OK(remove_children(dir.get(), st.st_dev, path, 0));
  return rmdir(path.c_str()) == 0 || errno == ENOENT ? Status() : errno_status("remove", path, errno);
}

}  // namespace lotse::agent
