#include "core/agent/atomic_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "core/agent/safe_path.h"
#include "core/base/file.h"

namespace lotse::agent {
namespace {

constexpr const char* kData = "..data";

Status check_path(const std::string& path) {
  bool bad = path.empty() || path.starts_with('/') || path.starts_with("..") ||
             path.find("/../") != std::string::npos || path.ends_with("/..");
  return bad ? Status(Reason::kInvalid, "\"" + path + "\" is no path inside a volume") : Status();
}

std::optional<std::string> current_target(const std::string& dir) {
  char text[256];
  ssize_t n = readlink((dir + "/" + kData).c_str(), text, sizeof text);
  if (n <= 0 || n == sizeof text) return std::nullopt;
  return std::string(text, static_cast<size_t>(n));
}

bool same_file(const std::string& path, const FileContent& want) {
  struct stat st {};
  if (lstat(path.c_str(), &st) != 0 || !S_ISREG(st.st_mode) || (st.st_mode & 07777) != want.mode) return false;
  if (want.owner && st.st_uid != *want.owner) return false;
  auto have = read_file(path, want.bytes.size() + 1);
  return have.ok() && *have == want.bytes;
}

void list_files(const std::string& dir, const std::string& prefix, std::set<std::string>* out, int depth = 0) {
  DIR* d = depth < 32 ? opendir(dir.c_str()) : nullptr;
  if (!d) return;
  while (auto* e = readdir(d)) {
    std::string name = e->d_name;
    if (name == "." || name == "..") continue;
    if (e->d_type == DT_DIR) list_files(dir + "/" + name, prefix + name + "/", out, depth + 1);
    else out->insert(prefix + name);
  }
  closedir(d);
}

bool unchanged(const std::string& dir, const std::string& target, const Payload& payload) {
  std::set<std::string> have;
  list_files(dir + "/" + target, "", &have);
  if (have.size() != payload.size()) return false;
  return std::all_of(payload.begin(), payload.end(), [&](const auto& f) {
    return have.contains(f.first) && same_file(dir + "/" + target + "/" + f.first, f.second);
  });
}

Status write_one(const std::string& path, const FileContent& file, std::optional<gid_t> group) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return errno_status("create", path, errno);
  std::string_view rest = file.bytes;
  while (!rest.empty()) {
    ssize_t n = write(fd.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return errno_status("write", path, errno);
    rest.remove_prefix(static_cast<size_t>(n));
  }
  if (file.owner || group) {
    if (fchown(fd.get(), file.owner.value_or(static_cast<uid_t>(-1)), group.value_or(static_cast<gid_t>(-1))) != 0) {
      return errno_status("chown", path, errno);
    }
  }
  mode_t mode = group ? file.mode | ((file.mode & 0400) >> 3) : file.mode;
  return fchmod(fd.get(), mode) == 0 ? Status() : errno_status("chmod", path, errno);
}

Status write_all(const std::string& root, const Payload& payload, std::optional<gid_t> group) {
  for (const auto& [path, file] : payload) {
    if (auto slash = path.rfind('/'); slash != std::string::npos)
      LOTSE_CHECK_OK(make_dirs(root + "/" + path.substr(0, slash), 0755));
    LOTSE_CHECK_OK(write_one(root + "/" + path, file, group));
  }
  return {};
}

std::set<std::string> first_names(const Payload& payload) {
  std::set<std::string> out;
  for (const auto& [path, file] : payload) out.insert(path.substr(0, path.find('/')));
  return out;
}

// The names that are seen: links through ..data. Those that lead nowhere any more go.
Status link_names(const std::string& dir, const std::set<std::string>& names) {
  for (const auto& name : names) {
    auto path = dir + "/" + name;
    if (symlink((std::string(kData) + "/" + name).c_str(), path.c_str()) != 0 && errno != EEXIST) {
      return errno_status("link", path, errno);
    }
  }
  DIR* d = opendir(dir.c_str());
  if (!d) return errno_status("read", dir, errno);
  std::vector<std::string> stale;
  while (auto* e = readdir(d)) {
    std::string name = e->d_name;
    if (e->d_type == DT_LNK && !name.starts_with("..") && !names.contains(name)) stale.push_back(name);
  }
  closedir(d);
  for (const auto& name : stale) unlink((dir + "/" + name).c_str());
  return {};
}

}  // namespace

Result<bool> write_atomic_dir(const std::string& dir, const Payload& payload, std::optional<gid_t> group) {
  for (const auto& [path, file] : payload) LOTSE_CHECK_OK(check_path(path));
  LOTSE_CHECK_OK(make_dirs(dir, 0755));
  Payload want = payload;
  if (group) {
    for (auto& [path, file] : want) file.mode |= (file.mode & 0400) >> 3;
  }
  auto old = current_target(dir);
  if (old && unchanged(dir, *old, want)) return false;
  std::string name = dir + "/..data_XXXXXX";
  if (!mkdtemp(name.data())) return errno_status("create", name, errno);
  if (chmod(name.c_str(), 0755) != 0) return errno_status("chmod", name, errno);
  if (group && chown(name.c_str(), static_cast<uid_t>(-1), *group) != 0) return errno_status("chown", name, errno);
  if (auto s = write_all(name, want, group); !s.ok()) {
    (void)remove_tree(name);
    return s;
  }
  auto link = dir + "/..data_new";
  unlink(link.c_str());
  if (symlink(name.substr(dir.size() + 1).c_str(), link.c_str()) != 0) return errno_status("link", link, errno);
  if (rename(link.c_str(), (dir + "/" + kData).c_str()) != 0) return errno_status("rename", link, errno);
  LOTSE_CHECK_OK(link_names(dir, first_names(payload)));
  if (old && old->starts_with("..") && old->find('/') == std::string::npos) (void)remove_tree(dir + "/" + *old);
  return true;
}

}  // namespace lotse::agent
