#include "core/agent/node_facts.h"

#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/object/quantity.h"

namespace lotse::agent {
namespace {

std::string first_line(const std::string& path) {
  auto text = read_file(path, 64 * 1024);
  if (!text.ok()) return {};
  auto line = text->substr(0, text->find('\n'));
  return line;
}

int64_t meminfo(const char* key) {
  auto text = read_file("/proc/meminfo", 64 * 1024);
  if (!text.ok()) return 0;
  auto at = text->find(std::string(key) + ":");
  return at == std::string::npos ? 0 : std::strtoll(text->c_str() + at + std::strlen(key) + 1, nullptr, 10) * 1024;
}

std::string os_name() {
  auto text = read_file("/etc/os-release", 64 * 1024);
  if (!text.ok()) return "Linux";
  auto at = text->find("PRETTY_NAME=");
  if (at == std::string::npos) return "Linux";
  auto value = text->substr(at + 12, text->find('\n', at) - at - 12);
  std::erase(value, '"');
  return value;
}

int percent(uint64_t part, uint64_t whole) { return whole == 0 ? 100 : static_cast<int>(part * 100 / whole); }

}  // namespace

std::string go_arch(const std::string& machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  if (machine.starts_with("armv")) return "arm";
  if (machine == "i686" || machine == "i386") return "386";
  return machine;
}

NodeFacts read_node_facts(const std::string& data_dir) {
  NodeFacts f;
  f.cpus = std::max(1l, sysconf(_SC_NPROCESSORS_ONLN));
  f.memory_bytes = meminfo("MemTotal");
  struct statvfs fs {};
  if (statvfs(data_dir.empty() ? "/" : data_dir.c_str(), &fs) == 0)
    f.disk_bytes = static_cast<int64_t>(fs.f_blocks * fs.f_frsize);
  f.machine_id = first_line("/etc/machine-id");
  f.system_uuid = first_line("/sys/class/dmi/id/product_uuid");
  if (f.system_uuid.empty()) f.system_uuid = f.machine_id;
  f.boot_id = first_line("/proc/sys/kernel/random/boot_id");
  utsname u{};
  if (uname(&u) == 0) {
    f.kernel = u.release;
    f.arch = go_arch(u.machine);
  }
  f.os_image = os_name();
  return f;
}

int disk_used_percent(const std::string& path) {
  struct statvfs fs {};
  if (statvfs(path.c_str(), &fs) != 0) return 0;
  return 100 - percent(fs.f_bavail, fs.f_blocks);
}

NodePressure read_node_pressure(const std::string& data_dir) {
  NodePressure p;
  p.memory_available = meminfo("MemAvailable");
  struct statvfs fs {};
  if (statvfs(data_dir.c_str(), &fs) == 0) {
    p.disk_available_percent = percent(fs.f_bavail, fs.f_blocks);
    p.inodes_free_percent = percent(fs.f_favail, fs.f_files);
  }
  struct sysinfo info {};
  auto most = std::strtoull(first_line("/proc/sys/kernel/pid_max").c_str(), nullptr, 10);
  if (sysinfo(&info) == 0 && most > 0) p.pids_free_percent = 100 - percent(std::min<uint64_t>(info.procs, most), most);
  return p;
}

std::map<std::string, std::string> node_capacity(const NodeFacts& facts, int pods_max,
                                                 const std::map<std::string, std::string>& overrides) {
  std::map<std::string, std::string> out{{"cpu", std::to_string(facts.cpus)},
                                         {"memory", std::to_string(facts.memory_bytes / 1024) + "Ki"},
                                         {"ephemeral-storage", std::to_string(facts.disk_bytes / 1024) + "Ki"},
                                         {"pods", std::to_string(pods_max)},
                                         {"hugepages-2Mi", "0"}};
  for (const auto& [name, value] : overrides) out[name] = value;
  return out;
}

std::map<std::string, std::string> node_allocatable(std::map<std::string, std::string> capacity,
                                                    const std::map<std::string, std::string>& reserved) {
  for (const auto& [name, text] : reserved) {
    auto it = capacity.find(name);
    if (it == capacity.end()) continue;
    auto have = Quantity::parse(it->second), less = Quantity::parse(text);
    if (!have.ok() || !less.ok()) continue;
    auto rest = *have - *less;
    it->second = rest.negative() ? "0" : rest.canonical();
  }
  return capacity;
}

}  // namespace lotse::agent
