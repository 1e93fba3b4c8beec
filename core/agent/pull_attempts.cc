#include "core/agent/pull_attempts.h"

#include "core/agent/image_credentials.h"
#include "core/base/file.h"

namespace lotse::agent {
namespace {

constexpr size_t kCaMax = 512 << 10, kPasswordMax = 64 << 10;

const Registry* find(const std::vector<Registry>& all, std::string_view host) {
  for (const Registry& r : all) {
    if (r.host == host) return &r;
  }
  return nullptr;
}

Result<std::string> password_of(const Registry& r) {
  if (r.password_file.empty()) return r.password;
  if (is_open_to_others(r.password_file))
    return Status(Reason::kInvalid, "others can read " + r.password_file + ": make it 0600");
  LOTSE_TRY(std::string text, read_file(r.password_file, kPasswordMax));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

Status add_node_credentials(const Registry& r, PullAttempt* attempt) {
  if (r.username.empty()) return {};
  LOTSE_TRY(std::string password, password_of(r));
  attempt->auth = MsgValue::map({{"username", r.username}, {"password", password}, {"server", r.host}});
  return {};
}

// How `server` is reached, by the section that is for it.
PullAttempt attempt_at(const std::string& server, bool mirror, const Registry* r) {
  PullAttempt out;
  out.server = server;
  out.mirror = mirror;
  if (!mirror && !r) return out;
  out.from = MsgValue::map();
  if (mirror) out.from.set("server", server);
  if (!r) return out;
  if (r->insecure) out.from.set("insecure", true);
  if (r->ca_file.empty()) return out;
  auto ca = read_file(r->ca_file, kCaMax);
  if (ca.ok())
    out.from.set("ca", *ca);
  else
    out.problem = ca.status();
  return out;
}

}  // namespace

std::vector<PullAttempt> pull_attempts(const std::string& image, const std::vector<MsgValue>& credentials,
                                       const std::vector<Registry>& registries) {
  std::vector<PullAttempt> out;
  auto normal = normal_image(image);
  const std::string host = normal.ok() ? normal->substr(0, normal->find('/')) : "";
  const Registry* own = find(registries, host);
  for (const auto& mirror : own ? own->mirrors : std::vector<std::string>()) {
    const Registry* r = find(registries, mirror.substr(0, mirror.find('/')));
    PullAttempt attempt = attempt_at(mirror, true, r);
    if (r && attempt.problem.ok()) attempt.problem = add_node_credentials(*r, &attempt);
    out.push_back(std::move(attempt));
  }
  const PullAttempt plain = attempt_at(host, false, own);
  for (const MsgValue& auth : credentials) {
    out.push_back(plain);
    out.back().auth = auth;
  }
  if (!credentials.empty() && (!own || own->username.empty())) return out;
  out.push_back(plain);
  if (own && plain.problem.ok()) out.back().problem = add_node_credentials(*own, &out.back());
  return out;
}

}  // namespace lotse::agent
