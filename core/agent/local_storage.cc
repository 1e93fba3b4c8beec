#include "core/agent/local_storage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <set>

#include "core/agent/safe_path.h"
#include "core/object/quantity.h"

namespace lotse::agent {
namespace {

constexpr int kDepthMost = 256;

int64_t bytes_of(const std::string& quantity) {
  auto q = Quantity::parse(quantity);
  return q.ok() ? q->value() : 0;
}

// Links are not followed; a file with several names counts once. Files may come and go meanwhile.
int64_t add_up(int parent, const char* name, dev_t device, std::set<ino_t>* seen, int depth) {
  Fd fd(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  DIR* d = fd && depth < kDepthMost ? fdopendir(fd.get()) : nullptr;
  if (!d) return 0;
  int at = fd.release();
  int64_t sum = 0;
  while (auto* e = readdir(d)) {
    std::string_view entry = e->d_name;
    struct stat st {};
    if (entry == "." || entry == ".." || fstatat(at, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || st.st_dev != device)
      continue;
    if (!S_ISDIR(st.st_mode) && st.st_nlink > 1 && !seen->insert(st.st_ino).second) continue;
    sum += static_cast<int64_t>(st.st_blocks) * 512;
    if (S_ISDIR(st.st_mode)) sum += add_up(at, e->d_name, device, seen, depth + 1);
  }
  closedir(d);
  return sum;
}

int64_t at(const std::map<std::string, int64_t>& map, const std::string& key) {
  auto it = map.find(key);
  return it == map.end() ? 0 : it->second;
}

}  // namespace

int64_t disk_usage(const std::string& dir) {
  struct stat st {};
  std::set<ino_t> seen;
  return lstat(dir.c_str(), &st) == 0 && S_ISDIR(st.st_mode) ? add_up(AT_FDCWD, dir.c_str(), st.st_dev, &seen, 0) : 0;
}

int64_t StorageUse::total() const {
  int64_t sum = 0;
  for (const auto* map : {&volumes, &logs, &written}) {
    for (const auto& [name, bytes] : *map) sum += bytes;
  }
  return sum;
}

StorageLimits storage_limits(const json::Value& pod) {
  StorageLimits out;
  for (const auto& v : pod["spec"]["volumes"].items()) {
    auto limit = v["emptyDir"]["sizeLimit"].str();
    if (v["emptyDir"]["medium"].str().empty() && bytes_of(std::string(limit)) > 0)
      out.volumes[std::string(v["name"].str())] = limit;
  }
  for (const auto& c : pod["spec"]["containers"].items()) {
    auto limit = c["resources"]["limits"]["ephemeral-storage"].str();
    if (bytes_of(std::string(limit)) > 0) out.containers[std::string(c["name"].str())] = limit;
  }
  return out;
}

StorageUse measure_storage(const json::Value& pod, const PodDirs& dirs) {
  StorageUse use;
  for (const auto& v : pod["spec"]["volumes"].items()) {
    if (!v.has("emptyDir") || !v["emptyDir"]["medium"].str().empty()) continue;
    std::string name(v["name"].str());
    use.volumes[name] = disk_usage(dirs.volume("empty-dir", name));
  }
  for (const auto& c : pod["spec"]["containers"].items()) {
    std::string name(c["name"].str());
    use.logs[name] = disk_usage(dirs.logs + "/" + name);
  }
  return use;
}

std::optional<std::string> storage_excess(const StorageLimits& limits, const StorageUse& use) {
  for (const auto& [name, limit] : limits.volumes) {
    if (at(use.volumes, name) > bytes_of(limit)) {
      return "Usage of EmptyDir volume \"" + name + "\" exceeds the limit \"" + limit + "\". ";
    }
  }
  if (limits.containers.empty()) return std::nullopt;
  Quantity sum;
  for (const auto& [name, limit] : limits.containers) {
    if (auto q = Quantity::parse(limit); q.ok()) sum = sum + *q;
  }
  if (use.total() > sum.value()) {
    return "Pod ephemeral local storage usage exceeds the total limit of containers " + sum.canonical() + ". ";
  }
  for (const auto& [name, limit] : limits.containers) {
    if (at(use.logs, name) + at(use.written, name) > bytes_of(limit)) {
      return "Container " + name + " exceeded its local ephemeral storage limit \"" + limit + "\". ";
    }
  }
  return std::nullopt;
}

}  // namespace lotse::agent
