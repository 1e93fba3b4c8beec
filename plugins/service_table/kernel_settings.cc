#include "plugins/service_table/kernel_settings.h"

#include <fcntl.h>
#include <unistd.h>

#include "plugins/service_table/program.h"

namespace lotse::service_table {

bool write_sysctl(const std::string& path, const std::string& value) {
  const int fd = open(("/proc/sys/" + path).c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool ok = write(fd, value.data(), value.size()) == static_cast<ssize_t>(value.size());
  close(fd);
  return ok;
}

void let_forward(bool ipv6) {
  write_sysctl("net/ipv4/ip_forward", "1");
  if (!write_sysctl("net/bridge/bridge-nf-call-iptables", "1")) {
    run_program({"modprobe", "br_netfilter"}, "", std::chrono::seconds(20));
    write_sysctl("net/bridge/bridge-nf-call-iptables", "1");
  }
  if (!ipv6) return;
  write_sysctl("net/ipv6/conf/all/forwarding", "1");
  write_sysctl("net/bridge/bridge-nf-call-ip6tables", "1");
}

}  // namespace lotse::service_table
