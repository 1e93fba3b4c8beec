// Security contexts of pods and containers.
#include "core/schema/names.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

constexpr int64_t kIdMax = 2147483647;

void check_id(const Value& id, const FieldPath& path, Errors* errors) {
  if (id.is_number() && (id.integer() < 0 || id.integer() > kIdMax)) {
    errors->invalid(path, id, "must be between 0 and " + std::to_string(kIdMax) + ", inclusive");
  }
}

void check_profile(const Value& profile, std::string_view what, const FieldPath& path, Errors* errors) {
  if (profile.is_null()) return;
  const bool local = profile["type"].str() == "Localhost";
  const std::string_view name = profile["localhostProfile"].str();
  if (local && name.empty())
    errors->required(path.child("localhostProfile"), "must be set when " + std::string(what) + " type is Localhost");
  if (!local && !profile["localhostProfile"].is_null()) {
    errors->invalid(path.child("localhostProfile"), name,
                    "can only be set when " + std::string(what) + " type is Localhost");
  }
  if (local && what == "seccomp" && !name.empty())
    errors->check(path.child("localhostProfile"), name, relative_path(name));
}

void check_common(const Value& context, const FieldPath& path, Errors* errors) {
  check_id(context["runAsUser"], path.child("runAsUser"), errors);
  check_id(context["runAsGroup"], path.child("runAsGroup"), errors);
  check_profile(context["seccompProfile"], "seccomp", path.child("seccompProfile"), errors);
  check_profile(context["appArmorProfile"], "AppArmor", path.child("appArmorProfile"), errors);
}

// "net.ipv4.tcp_syncookies", with dots or slashes between the parts.
bool is_sysctl(std::string_view name) {
  if (name.size() > 253) return false;
  char last = '.';
  for (char c : name) {
    const bool part = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
    const bool separator = c == '.' || c == '/';
    if (!part && !separator && c != '-' && c != '_') return false;
    if (separator && (last == '.' || last == '/')) return false;
    last = c;
  }
  return last != '.' && last != '/';
}

void check_sysctls(const Value& sysctls, bool host_network, bool host_ipc, const FieldPath& path, Errors* errors) {
  std::set<std::string_view> seen;
  for (size_t i = 0; i < sysctls.size(); ++i) {
    const std::string_view name = sysctls.at(i)["name"].str();
    const FieldPath at = path.index(i);
    if (name.empty()) continue;
    if (!is_sysctl(name))
      errors->invalid(at.child("name"), name,
                      "must have dot- or slash-separated parts of letters, digits, '-' and '_'");
    else if (!seen.insert(name).second)
      errors->duplicate(at.child("name"), name);
    if (host_network && name.starts_with("net."))
      errors->invalid(at.child("name"), name, "may not be specified when 'hostNetwork' is set to true");
    if (host_ipc && (name.starts_with("kernel.shm") || name.starts_with("kernel.msg") || name == "kernel.sem" ||
                     name.starts_with("fs.mqueue."))) {
      errors->invalid(at.child("name"), name, "may not be specified when 'hostIPC' is set to true");
    }
  }
}

void check_container(const Value& context, const FieldPath& path, Errors* errors) {
  check_common(context, path, errors);
  const Value& escalation = context["allowPrivilegeEscalation"];
  if (!escalation.is_bool() || escalation.boolean()) return;
  if (context["privileged"].boolean()) {
    errors->invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
  }
  for (const Value& capability : context["capabilities"]["add"].items()) {
    if (capability.str() == "CAP_SYS_ADMIN")
      errors->invalid(path, context,
                      "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
  }
}

}  // namespace

void validate_security(const Value& spec, const FieldPath& path, Errors* errors) {
  const FieldPath pod = path.child("securityContext"), groups = pod.child("supplementalGroups");
  const Value& context = spec["securityContext"];
  check_common(context, pod, errors);
  check_id(context["fsGroup"], pod.child("fsGroup"), errors);
  for (size_t i = 0; i < context["supplementalGroups"].size(); ++i)
    check_id(context["supplementalGroups"].at(i), groups.index(i), errors);
  check_sysctls(context["sysctls"], spec["hostNetwork"].boolean(), spec["hostIPC"].boolean(), pod.child("sysctls"),
                errors);
  for (std::string_view key : {"containers", "initContainers", "ephemeralContainers"}) {
    const FieldPath list = path.child(key);
    for (size_t i = 0; i < spec[key].size(); ++i) {
      const FieldPath at = list.index(i);
      check_container(spec[key].at(i)["securityContext"], at.child("securityContext"), errors);
    }
  }
}

}  // namespace lotse::schema
