#include "core/daemon/kubeconfig.h"

#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/base/log.h"

namespace lotse::daemon {
namespace {

constexpr Duration kLifetime = std::chrono::hours(24 * 365);

// The comment on top says until when the file is good, so that nothing needs to read the certificate.
std::string header(WallTime renew) { return "# renew-after: " + format_time(renew) + "\n"; }

bool still_good(const std::string& text, const std::string& server, WallTime now, const std::string& ca) {
  constexpr std::string_view prefix = "# renew-after: ";
  if (!text.starts_with(prefix) || text.find("server: " + server + "\n") == text.npos || text.find(ca) == text.npos) return false;
  auto renew = parse_time(std::string_view(text).substr(prefix.size(), text.find('\n') - prefix.size()));
  return renew.ok() && now < *renew;
}

}  // namespace

Status write_admin_kubeconfig(security::Authority& authority, const Clock& clock, const std::string& file, const std::string& server, bool anew) {
  const std::string ca = base64(authority.ca_pem());
  if (auto text = read_file(file, 1 << 16); !anew && text.ok() && still_good(*text, server, clock.now(), ca)) return {};
  LOTSE_TRY(security::KeyPair pair, authority.issue({.common_name = "kubernetes-admin", .organizations = {"system:masters"}, .client = true, .lifetime = kLifetime}));
  std::string text = header(clock.now() + kLifetime / 3 * 2);
  text += "apiVersion: v1\nkind: Config\nclusters:\n- name: lotse\n  cluster:\n    server: " + server + "\n    certificate-authority-data: " + ca +
          "\ncontexts:\n- name: lotse\n  context:\n    cluster: lotse\n    user: kubernetes-admin\ncurrent-context: lotse\nusers:\n- name: kubernetes-admin\n  user:\n"
          "    client-certificate-data: " + base64(pair.certificate_pem) + "\n    client-key-data: " + base64(pair.key_pem) + "\n";
  return write_file_atomically(file, text, 0600);
}

}  // namespace lotse::daemon
