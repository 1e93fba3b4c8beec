#include "core/agent/volumes.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/agent/safe_path.h"
#include "core/base/file.h"
#include "core/object/quantity.h"

namespace lotse::agent {
namespace {

Status no_such_kind(const json::Value& volume) {
  for (const auto& [key, value] : volume.members()) {
    if (key != "name")
      return Status(Reason::kInvalid, "volume \"" + std::string(volume["name"].str()) + "\" is of kind " + key +
                                          ", which this node does not have");
  }
  return Status(Reason::kInvalid, "volume \"" + std::string(volume["name"].str()) + "\" has no source");
}

const char* kind_dir(const json::Value& v) {
  return v.has("configMap")   ? "config-map"
         : v.has("secret")    ? "secret"
         : v.has("projected") ? "projected"
         : v.has("emptyDir")  ? "empty-dir"
                              : "downward-api";
}

bool mounted(const std::string& path) {
  struct stat here {}, above {};
  if (stat(path.c_str(), &here) != 0 || stat((path + "/..").c_str(), &above) != 0) return false;
  return here.st_dev != above.st_dev;
}

Status share_with(const std::string& path, std::optional<gid_t> group, mode_t mode) {
  if (group && chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0) return errno_status("chown", path, errno);
  return chmod(path.c_str(), group ? (mode | S_ISGID) : mode) == 0 ? Status() : errno_status("chmod", path, errno);
}

Status mount_memory(const std::string& path, int64_t size_bytes) {
  LOTSE_CHECK_OK(make_dirs(path, 0755));
  if (mounted(path)) return {};
  std::string options = size_bytes > 0 ? "size=" + std::to_string(size_bytes) : "";
  if (mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, options.c_str()) == 0) return {};
  return errno_status("mount tmpfs on", path, errno);
}

Status set_up_memory(const VolumePlan& plan) {
  if (mounted(plan.path)) return {};
  LOTSE_CHECK_OK(mount_memory(plan.path, plan.size_bytes));
  return share_with(plan.path, plan.group, 0777);
}

Status set_up_empty(const VolumePlan& plan) {
  struct stat st {};
  if (stat(plan.path.c_str(), &st) == 0) return {};  // what the containers wrote stays theirs
  LOTSE_CHECK_OK(make_dirs(plan.path, 0755));
  return share_with(plan.path, plan.group, 0777);
}

Status make_host_file(const std::string& path) {
  Fd fd(open(path.c_str(), O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644));
  return fd ? Status() : errno_status("create", path, errno);
}

Status check_host_path(const VolumePlan& plan) {
  const auto& type = plan.host_type;
  if (type.empty()) return {};
  struct stat st {};
  bool there = stat(plan.path.c_str(), &st) == 0;
  if (!there && type == "DirectoryOrCreate") return make_dirs(plan.path, 0755);
  if (!there && type == "FileOrCreate") return make_host_file(plan.path);
  bool fits =
      there && ((type.starts_with("Directory") && S_ISDIR(st.st_mode)) ||
                (type.starts_with("File") && S_ISREG(st.st_mode)) || (type == "Socket" && S_ISSOCK(st.st_mode)) ||
                (type == "CharDevice" && S_ISCHR(st.st_mode)) || (type == "BlockDevice" && S_ISBLK(st.st_mode)));
  return fits ? Status() : Status(Reason::kInvalid, "hostPath type check failed: " + plan.path + " is not a " + type);
}

// Without a path to be on, runtimes make a directory for hostPath volumes without a type.
Status set_up_host(const VolumePlan& plan) {
  LOTSE_CHECK_OK(check_host_path(plan));
  struct stat st {};
  if (plan.host_type.empty() && stat(plan.path.c_str(), &st) != 0 && errno == ENOENT) return make_dirs(plan.path, 0755);
  return {};
}

Status set_up(const VolumePlan& plan) {
  switch (plan.kind) {
    case VolumePlan::Kind::kFiles: {
      if (plan.secret) LOTSE_CHECK_OK(mount_memory(plan.path, 0));
      auto changed = write_atomic_dir(plan.path, plan.payload, plan.group);
      return changed.ok() ? Status() : changed.status();
    }
    case VolumePlan::Kind::kEmptyDir: return set_up_empty(plan);
    case VolumePlan::Kind::kMemory: return set_up_memory(plan);
    case VolumePlan::Kind::kHostPath: return set_up_host(plan);
  }
  return {};
}

// What is mounted below a directory, deepest first.
std::vector<std::string> mounts_below(const std::string& root) {
  std::vector<std::string> out;
  auto table = read_file("/proc/self/mountinfo", 64 * 1024 * 1024);
  if (!table.ok()) return out;
  std::string_view rest = *table;
  while (!rest.empty()) {
    auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    size_t at = 0;
    for (int field = 0; field < 4 && at != std::string_view::npos; ++field) at = line.find(' ', at + (field ? 1 : 0));
    if (at == std::string_view::npos) continue;
    auto path = line.substr(at + 1, line.find(' ', at + 1) - at - 1);
    std::string plain;
    for (size_t i = 0; i < path.size(); ++i) {
      if (path[i] == '\\' && i + 3 < path.size()) {
        plain += static_cast<char>((path[i + 1] - '0') * 64 + (path[i + 2] - '0') * 8 + (path[i + 3] - '0'));
        i += 3;
      } else {
        plain += path[i];
      }
    }
    if (plain.starts_with(root + "/")) out.push_back(plain);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace

std::map<std::string, std::string> volume_paths(const json::Value& pod, const PodDirs& dirs) {
  std::map<std::string, std::string> out;
  for (const auto& v : pod["spec"]["volumes"].items()) {
    std::string name(v["name"].str());
    if (v.has("hostPath")) out[name] = std::string(v["hostPath"]["path"].str());
    else if (!v.has("image")) out[name] = dirs.volume(kind_dir(v), name);
  }
  return out;
}

Result<std::vector<VolumePlan>> plan_volumes(const VolumeInput& in) {
  std::vector<VolumePlan> out;
  std::optional<gid_t> group;
  if (const auto& g = in.pod["spec"]["securityContext"]["fsGroup"]; g.is_integer())
    group = static_cast<gid_t>(g.integer());
  for (const auto& v : in.pod["spec"]["volumes"].items()) {
    VolumePlan plan{VolumePlan::Kind::kFiles, std::string(v["name"].str()), {}, {}, false, 0, {}, group};
    if (v.has("image")) continue;  // the runtime mounts it
    if (auto* empty = v.find("emptyDir")) {
      bool memory = (*empty)["medium"].str() == "Memory";
      plan.kind = memory ? VolumePlan::Kind::kMemory : VolumePlan::Kind::kEmptyDir;
      plan.path = in.dirs.volume(kind_dir(v), plan.name);
      if (auto q = Quantity::parse((*empty)["sizeLimit"].str()); q.ok()) plan.size_bytes = q->value();
    } else if (auto* host = v.find("hostPath")) {
      plan.kind = VolumePlan::Kind::kHostPath;
      plan.path = std::string((*host)["path"].str());
      plan.host_type = std::string((*host)["type"].str());
    } else if (v.has("configMap") || v.has("secret") || v.has("downwardAPI") || v.has("projected")) {
      LOTSE_TRY(plan.payload, plan_files(in, v));
      plan.secret = v.has("secret") || v.has("projected");
      plan.path = in.dirs.volume(kind_dir(v), plan.name);
    } else {
      return no_such_kind(v);
    }
    out.push_back(std::move(plan));
  }
  return out;
}

Result<std::map<std::string, std::string>> set_up_volumes(const std::vector<VolumePlan>& plans, const PodDirs& dirs) {
  std::map<std::string, std::string> out;
  LOTSE_CHECK_OK(make_dirs(dirs.root, 0755));
  for (const auto& plan : plans) {
    if (auto s = set_up(plan); !s.ok()) {
      s.message = "MountVolume.SetUp failed for volume \"" + plan.name + "\": " + s.message;
      return s;
    }
    out[plan.name] = plan.path;
  }
  return out;
}

Status tear_down(const PodDirs& dirs) {
  Status status;
  for (const auto& path : mounts_below(dirs.root)) {
    if (umount2(path.c_str(), UMOUNT_NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT) continue;
    // Somebody still holds it; nothing new may find it.
    if (umount2(path.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH) != 0) status = errno_status("unmount", path, errno);
  }
  if (!status.ok()) return status;
  return remove_tree(dirs.root);
}

Result<std::string> bind_sub_path(const PodDirs& dirs, const std::string& volume, const std::string& source,
                                  const std::string& sub_path, const std::string& container, size_t index,
                                  std::optional<gid_t> group) {
  // Files of configMap and the like are links through ..data, which stay below the volume.
  auto opened = open_beneath(source, sub_path, O_PATH, 0, Links::kBeneath);
  if (!opened.ok() && opened.status().reason == Reason::kNotFound) {
    LOTSE_TRY(Fd made, make_dirs_beneath(source, sub_path, 0750));
    std::string self = "/proc/self/fd/" + std::to_string(made.get());
    if (chmod(self.c_str(), group ? 02775 : 0755) != 0) return errno_status("chmod", sub_path, errno);
    if (group && chown(self.c_str(), static_cast<uid_t>(-1), *group) != 0)
      return errno_status("chown", sub_path, errno);
    opened = std::move(made);
  }
  if (!opened.ok()) return opened.status();
  struct stat st {};
  if (fstat(opened->get(), &st) != 0) return errno_status("stat", sub_path, errno);
  std::string parent = dirs.root + "/volume-subpaths/" + volume + "/" + container;
  std::string target = parent + "/" + std::to_string(index);
  LOTSE_CHECK_OK(make_dirs(parent, 0750));
  umount2(target.c_str(), UMOUNT_NOFOLLOW | MNT_DETACH);  // of the attempt before
  if (S_ISDIR(st.st_mode)) {
    LOTSE_CHECK_OK(make_dirs(target, 0750));
  } else {
    Fd file(open(target.c_str(), O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0640));
    if (!file) return errno_status("create", target, errno);
  }
  std::string from = "/proc/self/fd/" + std::to_string(opened->get());
  if (mount(from.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
    return errno_status("bind " + sub_path + " to", target, errno);
  return target;
}

}  // namespace lotse::agent
