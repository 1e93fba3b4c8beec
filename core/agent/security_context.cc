#include "core/agent/security_context.h"

#include <set>

namespace lotse::agent {
namespace {

// The container's word counts, then the pod's.
const json::Value& either(const json::Value& container, const json::Value& pod, std::string_view key) {
  const auto& own = container[key];
  return own.is_null() ? pod[key] : own;
}

std::string profile(const json::Value& v) {
  auto type = v["type"].str();
  if (type == "Localhost") return "Localhost:" + std::string(v["localhostProfile"].str());
  return std::string(type);
}

void set_profiles(MsgValue* out, const json::Value& container, const json::Value& pod) {
  if (auto p = profile(either(container, pod, "seccompProfile")); !p.empty()) out->set("seccomp", p);
  if (auto p = profile(either(container, pod, "appArmorProfile")); !p.empty()) out->set("apparmor", p);
  const auto& se = either(container, pod, "seLinuxOptions");
  if (!se.empty()) {
    auto v = MsgValue::map();
    for (const auto& [k, text] : se.members()) v.set(k, text.str());
    out->set("selinux", std::move(v));
  }
}

MsgValue groups_of(const json::Value& pod_security) {
  std::set<int64_t> groups;
  for (const auto& g : pod_security["supplementalGroups"].items()) groups.insert(g.integer());
  if (pod_security["fsGroup"].is_integer()) groups.insert(pod_security["fsGroup"].integer());
  return MsgValue(MsgValue::Array(groups.begin(), groups.end()));
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

MsgValue strings(const json::Value& list) {
  MsgValue::Array out;
  for (const auto& v : list.items()) out.push_back(v.str());
  return out;
}

bool adds(const json::Value& list, std::string_view capability) {
  for (const auto& v : list.items()) {
    if (v.str() == capability || v.str() == "CAP_" + std::string(capability) || v.str() == "ALL") return true;
  }
  return false;
}

// "uid", "uid:gid" or the image's own; checks runAsNonRoot on the way.
Result<std::string> user_of(const json::Value& own, const json::Value& pod, std::string_view image_user) {
  const auto& uid = either(own, pod, "runAsUser");
  const auto& gid = either(own, pod, "runAsGroup");
  auto name = image_user.substr(0, image_user.find(':'));
  std::string user = uid.is_integer() ? std::to_string(uid.integer()) : std::string();
  if (either(own, pod, "runAsNonRoot").boolean()) {
    if (user.empty() && !name.empty() && !is_number(name)) {
      return Status(Reason::kInvalid, "container has runAsNonRoot and image has non-numeric user (" +
                                          std::string(name) + "), cannot verify user is non-root");
    }
    auto effective = user.empty() ? std::string(name) : user;
    if (effective.empty() || effective.find_first_not_of('0') == std::string::npos) {
      return Status(Reason::kInvalid, user.empty() ? "container has runAsNonRoot and image will run as root"
                                                   : "container's runAsUser breaks non-root policy");
    }
  }
  if (!gid.is_integer()) return user;
  if (user.empty()) user = name.empty() ? "0" : std::string(name);
  return user + ":" + std::to_string(gid.integer());
}

}  // namespace

MsgValue sandbox_security(const json::Value& pod) {
  const auto& security = pod["spec"]["securityContext"];
  auto out = MsgValue::map({{"groups", groups_of(security)}});
  for (const auto& c : pod["spec"]["containers"].items()) {
    if (c["securityContext"]["privileged"].boolean()) out.set("privileged", true);
  }
  set_profiles(&out, json::Value(), security);
  return out;
}

Result<MsgValue> container_security(const json::Value& pod, const json::Value& container, std::string_view image_user) {
  const auto& shared = pod["spec"]["securityContext"];
  const auto& own = container["securityContext"];
  LOTSE_TRY(auto user, user_of(own, shared, image_user));
  bool privileged = own["privileged"].boolean();
  auto out = MsgValue::map({{"privileged", privileged}, {"groups", groups_of(shared)},
                            {"read_only_root", own["readOnlyRootFilesystem"].boolean()},
                            {"add_capabilities", strings(own["capabilities"]["add"])},
                            {"drop_capabilities", strings(own["capabilities"]["drop"])},
                            {"proc_mount", own["procMount"].str("Default")}});
  if (!user.empty()) out.set("user", user);
  if (shared["fsGroup"].is_integer()) out.set("fs_group", shared["fsGroup"].integer());
  bool escalation =
      own["allowPrivilegeEscalation"].boolean(true) || privileged || adds(own["capabilities"]["add"], "SYS_ADMIN");
  out.set("no_new_privileges", !escalation);
  set_profiles(&out, own, shared);
  return out;
}

}  // namespace lotse::agent
