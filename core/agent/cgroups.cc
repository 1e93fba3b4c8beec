#include "core/agent/cgroups.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "core/agent/safe_path.h"
#include "core/base/file.h"

namespace lotse::agent {
namespace {

constexpr const char* kWanted[] = {"cpu", "cpuset", "memory", "pids", "hugetlb", "io"};

Status put(const std::string& path, const std::string& text) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return errno_status("open", path, errno);
  return ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? Status() : errno_status("write " + text + " to", path, errno);
}

std::vector<std::string> directories(const std::string& path) {
  std::vector<std::string> out;
  DIR* d = opendir(path.c_str());
  if (!d) return out;
  while (auto* e = readdir(d)) {
    if (e->d_type == DT_DIR && e->d_name[0] != '.') out.emplace_back(e->d_name);
  }
  closedir(d);
  return out;
}

void kill_all(const std::string& dir) {
  if (put(dir + "/cgroup.kill", "1").ok()) return;
  auto pids = read_file(dir + "/cgroup.procs", 1 << 20);
  if (!pids.ok()) return;
  size_t at = 0;
  while (at < pids->size()) {
    int pid = atoi(pids->c_str() + at);
    if (pid > 1) kill(pid, SIGKILL);
    at = std::min(pids->find('\n', at), pids->size() - 1) + 1;
  }
}

Status remove_group(const std::string& dir, int depth = 0) {
  if (depth > 16) return Status(Reason::kInternalError, "cgroups too deep: " + dir);
  for (const auto& child : directories(dir)) LOTSE_CHECK_OK(remove_group(dir + "/" + child, depth + 1));
  if (rmdir(dir.c_str()) == 0 || errno == ENOENT) return {};
  if (errno == EBUSY) {
    kill_all(dir);  // gone with the next try, once the kernel has taken them away
    if (rmdir(dir.c_str()) == 0) return {};
  }
  return errno_status("remove", dir, errno);
}

const char* class_name(Qos qos) {
  return qos == Qos::kBurstable ? "/burstable" : qos == Qos::kBestEffort ? "/besteffort" : "";
}

// A new cpuset of v1 is empty, and nothing can be put into it until it has what its parent has.
void inherit_cpuset(const std::string& dir) {
  for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
    auto own = read_file(dir + "/" + file, 4096);
    if (!own.ok() || own->find_first_not_of(" \n") != std::string::npos) continue;
    auto above = read_file(dir + "/../" + file, 4096);
    if (above.ok()) (void)put(dir + "/" + file, *above);
  }
}

}  // namespace

Result<Cgroups> Cgroups::open(const std::string& mount, const std::string& root) {
  Cgroups out;
  out.root_ = "/" + root;
  out.mount_ = mount;
  struct stat st {};
  if (stat((mount + "/cgroup.controllers").c_str(), &st) == 0) {
    out.unified_ = true;
    out.hierarchies_ = {mount};
    return out;
  }
  std::set<std::pair<dev_t, ino_t>> seen;
  for (const auto& name : directories(mount)) {
    auto dir = mount + "/" + name;
    if (name == "unified") out.beside_ = dir;
    if (name == "unified" || stat((dir + "/cgroup.procs").c_str(), &st) != 0) continue;
    size_t start = 0;
    while (start <= name.size()) {
      auto comma = std::min(name.find(',', start), name.size());
      out.controllers_[name.substr(start, comma - start)] = dir;
      start = comma + 1;
    }
    if (stat(dir.c_str(), &st) == 0 && seen.insert({st.st_dev, st.st_ino}).second) out.hierarchies_.push_back(dir);
  }
  // "cpu" is often a link to "cpu,cpuacct".
  for (const char* name : kWanted) {
    auto dir = mount + "/" + name;
    if (!out.controllers_.contains(name) && stat((dir + "/cgroup.procs").c_str(), &st) == 0) out.controllers_[name] = dir;
  }
  if (out.hierarchies_.empty()) return Status(Reason::kNotFound, "no cgroup hierarchy is mounted below " + mount);
  return out;
}

std::string Cgroups::path_of(Qos qos, const std::string& uid) const { return root_ + class_name(qos) + "/pod" + uid; }

Status Cgroups::make(const std::string& path) const {
  for (const auto& hierarchy : hierarchies_) {
    auto dir = hierarchy + path;
    if (mkdir(dir.c_str(), 0755) != 0 && errno != EEXIST) return errno_status("mkdir", dir, errno);
    if (auto it = controllers_.find("cpuset"); it != controllers_.end() && it->second == hierarchy) inherit_cpuset(dir);
    if (!unified_) continue;
    // A controller is there for the children only once the parent hands it on; one that the kernel lacks is no fault.
    for (const char* name : kWanted) (void)put(dir + "/../cgroup.subtree_control", std::string("+") + name);
    for (const char* name : kWanted) (void)put(dir + "/cgroup.subtree_control", std::string("+") + name);
  }
  return {};
}

Status Cgroups::write(const std::string& controller, const std::string& path, const std::string& file, const std::string& text) const {
  if (unified_) return put(mount_ + path + "/" + file, text);
  auto it = controllers_.find(controller);
  if (it == controllers_.end()) return {};
  return put(it->second + path + "/" + file, text);
}

Status Cgroups::limit(const std::string& path, int64_t shares, int64_t quota_us, int64_t memory) const {
  if (unified_) {
    LOTSE_CHECK_OK(write("cpu", path, "cpu.weight", std::to_string(cpu_weight(shares))));
    LOTSE_CHECK_OK(write("cpu", path, "cpu.max", (quota_us > 0 ? std::to_string(quota_us) : "max") + " " + std::to_string(kQuotaPeriodUs)));
    return write("memory", path, "memory.max", memory > 0 ? std::to_string(memory) : "max");
  }
  LOTSE_CHECK_OK(write("cpu", path, "cpu.shares", std::to_string(shares)));
  if (quota_us > 0) {
    LOTSE_CHECK_OK(write("cpu", path, "cpu.cfs_period_us", std::to_string(kQuotaPeriodUs)));
    LOTSE_CHECK_OK(write("cpu", path, "cpu.cfs_quota_us", std::to_string(quota_us)));
  }
  return memory > 0 ? write("memory", path, "memory.limit_in_bytes", std::to_string(memory)) : Status();
}

Status Cgroups::set_up(int64_t cpu_m, int64_t memory_bytes) const {
  LOTSE_CHECK_OK(make(root_));
  LOTSE_CHECK_OK(make(root_ + "/burstable"));
  LOTSE_CHECK_OK(make(root_ + "/besteffort"));
  LOTSE_CHECK_OK(limit(root_, cpu_shares(cpu_m), 0, memory_bytes));
  return limit(root_ + "/besteffort", kSharesLeast, 0, 0);
}

Status Cgroups::weigh_burstable(int64_t cpu_m) const {
  auto path = root_ + class_name(Qos::kBurstable);
  int64_t shares = cpu_shares(cpu_m);
  return unified_ ? write("cpu", path, "cpu.weight", std::to_string(cpu_weight(shares))) : write("cpu", path, "cpu.shares", std::to_string(shares));
}

// One process that is killed for its memory takes the whole container with it, so that no half of it goes on; and a container
// does not swap. A kernel without swap accounting has no file for that.
std::map<std::string, std::string> Cgroups::container_files() const {
  std::map<std::string, std::string> out;
  if (!unified_) return out;
  for (auto [file, text] : {std::pair("memory.oom.group", "1"), std::pair("memory.swap.max", "0")}) {
    if (access((mount_ + root_ + "/" + file).c_str(), F_OK) == 0) out[file] = text;
  }
  return out;
}

Status Cgroups::make_pod(Qos qos, const std::string& uid, const Amounts& amounts) const {
  auto path = path_of(qos, uid);
  LOTSE_CHECK_OK(make(path));
  int64_t shares = qos == Qos::kBestEffort ? kSharesLeast : cpu_shares(amounts.cpu_request_m);
  return limit(path, shares, cpu_quota_us(amounts.cpu_limit_m), amounts.memory_limit);
}

Status Cgroups::remove(const std::string& path) const {
  Status status;
  for (const auto& hierarchy : hierarchies_) {
    if (auto s = remove_group(hierarchy + path); !s.ok()) status = s;
  }
  if (!beside_.empty()) {
    if (auto s = remove_group(beside_ + path); !s.ok()) status = s;
  }
  return status;
}

Status Cgroups::remove_pod(Qos qos, const std::string& uid) const { return remove(path_of(qos, uid)); }

Status Cgroups::remove_all() const { return remove(root_); }

std::vector<std::pair<Qos, std::string>> Cgroups::pods() const {
  std::set<std::pair<Qos, std::string>> out;
  for (const auto& hierarchy : hierarchies_) {
    for (Qos qos : {Qos::kGuaranteed, Qos::kBurstable, Qos::kBestEffort}) {
      for (const auto& name : directories(hierarchy + root_ + class_name(qos))) {
        if (name.starts_with("pod")) out.insert({qos, name.substr(3)});
      }
    }
  }
  return {out.begin(), out.end()};
}

}  // namespace lotse::agent
