#include "core/object/quantity.h"
#include "core/schema/names.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

enum class Place { kContainer, kInit, kEphemeral };

void validate_ports(const Value& ports, const FieldPath& path, Errors* errors) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < ports.size(); ++i) {
    const Value& port = ports.at(i);
    const FieldPath at = path.index(i);
    const std::string_view name = port["name"].str();
    if (!name.empty()) {
      const std::string why = port_name(name);
      errors->check(at.child("name"), name, why);
      if (why.empty() && !names.insert(name).second) errors->duplicate(at.child("name"), name);
    }
    if (port["containerPort"].integer() == 0)
      errors->required(at.child("containerPort"));
    else
      check_port(port["containerPort"], at.child("containerPort"), errors);
    if (port["hostPort"].integer() != 0) check_port(port["hostPort"], at.child("hostPort"), errors);
    if (const std::string_view ip = port["hostIP"].str(); !ip.empty())
      errors->check(at.child("hostIP"), ip, ip_address(ip));
  }
}

bool has_named(const Value& list, std::string_view name) {
  return std::any_of(list.items().begin(), list.items().end(), [&](const Value& v) { return v["name"].str() == name; });
}

void validate_mounts(const Value& container, const Value& volumes, const FieldPath& path, Errors* errors) {
  std::set<std::string_view> paths;
  const FieldPath list = path.child("volumeMounts");
  for (size_t i = 0; i < container["volumeMounts"].size(); ++i) {
    const Value& m = container["volumeMounts"].at(i);
    const FieldPath at = list.index(i);
    const std::string_view name = m["name"].str(), mount = m["mountPath"].str(), sub = m["subPath"].str(),
                           expression = m["subPathExpr"].str();
    if (!name.empty() && !has_named(volumes, name)) errors->not_found(at.child("name"), name);
    if (mount.empty())
      errors->required(at.child("mountPath"));
    else if (!paths.insert(mount).second)
      errors->invalid(at.child("mountPath"), mount, "must be unique");
    if (!sub.empty()) errors->check(at.child("subPath"), sub, relative_path(sub));
    if (!expression.empty()) errors->check(at.child("subPathExpr"), expression, relative_path(expression));
    if (!sub.empty() && !expression.empty())
      errors->invalid(at.child("subPathExpr"), expression, "subPathExpr and subPath are mutually exclusive");
    if (m["mountPropagation"].str() == "Bidirectional" && !container["securityContext"]["privileged"].boolean()) {
      errors->forbidden(at.child("mountPropagation"),
                        "Bidirectional mount propagation is available only to privileged containers");
    }
    if (!m["recursiveReadOnly"].is_null() && m["recursiveReadOnly"].str() != "Disabled" && !m["readOnly"].boolean()) {
      errors->forbidden(at.child("recursiveReadOnly"), "may only be specified when readOnly is true");
    }
  }
  std::set<std::string_view> devices;
  const FieldPath device_list = path.child("volumeDevices");
  for (size_t i = 0; i < container["volumeDevices"].size(); ++i) {
    const Value& d = container["volumeDevices"].at(i);
    const FieldPath at = device_list.index(i);
    if (!d["name"].str().empty() && !has_named(volumes, d["name"].str()))
      errors->not_found(at.child("name"), d["name"]);
    if (!devices.insert(d["devicePath"].str()).second || paths.count(d["devicePath"].str())) {
      errors->invalid(at.child("devicePath"), d["devicePath"], "must be unique");
    }
  }
}

void validate_restart(const Value& c, Place place, const FieldPath& path, Errors* errors) {
  const std::string_view policy = c["restartPolicy"].str();
  const Value& rules = c["restartPolicyRules"];
  if (!rules.empty() && policy.empty())
    errors->required(path.child("restartPolicy"), "must specify restartPolicy when restart rules are used");
  if (rules.size() > 20) errors->too_many(path.child("restartPolicyRules"), rules.size(), 20);
  if (c["restartPolicy"].is_null()) return;
  if (place == Place::kEphemeral)
    return errors->forbidden(path.child("restartPolicy"), "cannot be set for an Ephemeral Container");
  if (policy != "Always" && policy != "Never" && policy != "OnFailure") {
    errors->not_supported(path.child("restartPolicy"), policy, {"Always", "Never", "OnFailure"});
  }
}

void validate_resize_policy(const Value& policies, const FieldPath& path, Errors* errors) {
  std::set<std::string_view> seen;
  for (size_t i = 0; i < policies.size(); ++i) {
    const std::string_view name = policies.at(i)["resourceName"].str();
    if (!name.empty() && !seen.insert(name).second) errors->duplicate(path.index(i), name);
  }
}

void validate_one(const Value& c, Place place, const Value& volumes, const FieldPath& path, Errors* errors) {
  const std::string_view name = c["name"].str(), image = c["image"].str();
  if (!name.empty()) errors->check(path.child("name"), name, dns_label(name));
  if (image.empty())
    errors->required(path.child("image"));
  else if (image.front() == ' ' || image.back() == ' ')
    errors->invalid(path.child("image"), image, "must not have leading or trailing whitespace");
  const bool sidecar = place == Place::kInit && c["restartPolicy"].str() == "Always";
  validate_restart(c, place, path, errors);
  validate_ports(c["ports"], path.child("ports"), errors);
  validate_env(c, path, errors);
  validate_mounts(c, volumes, path, errors);
  validate_resources(c["resources"], path.child("resources"), errors);
  validate_resize_policy(c["resizePolicy"], path.child("resizePolicy"), errors);
  if (place != Place::kEphemeral) return validate_probes(c, place == Place::kInit, sidecar, path, errors);
  for (std::string_view key :
       {"ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy"}) {
    if (!c[key].is_null()) errors->forbidden(path.child(key), "cannot be set for an Ephemeral Container");
  }
  if (!c["resources"].empty()) errors->forbidden(path.child("resources"), "cannot be set for an Ephemeral Container");
}

bool is_standard_resource(std::string_view name) {
  return name == "cpu" || name == "memory" || name == "ephemeral-storage" || name.starts_with("hugepages-");
}

void compare_with_limit(std::string_view name, const Value& request, const Value& limit, const FieldPath& path,
                        Errors* errors) {
  auto r = Quantity::parse(request.str()), l = Quantity::parse(limit.str());
  if (!r.ok() || !l.ok()) return;
  const bool overcommits = is_standard_resource(name) && !name.starts_with("hugepages-");
  if (!overcommits && r->compare(*l) != 0) {
    errors->invalid(path, request, "must be equal to " + std::string(name) + " limit of " + l->canonical());
  } else if (r->compare(*l) > 0) {
    errors->invalid(path, request,
                    "must be less than or equal to " + std::string(name) + " limit of " + l->canonical());
  }
}

}  // namespace

void validate_resources(const Value& resources, const FieldPath& path, Errors* errors) {
  for (std::string_view part : {"limits", "requests"}) {
    const FieldPath at = path.child(part);
    validate_quantities(resources[part], at, errors);
    for (const auto& [name, quantity] : resources[part].members()) {
      if (is_standard_resource(name)) continue;
      if (name.find('/') == std::string::npos) {
        errors->invalid(at.key(name), name, "must be a standard resource for containers or a name with a domain");
      } else if (auto q = Quantity::parse(quantity.str()); q.ok() && q->milli() % 1000 != 0) {
        errors->invalid(at.key(name), quantity, "must be an integer");
      }
    }
  }
  const FieldPath at = path.child("requests");
  for (const auto& [name, request] : resources["requests"].members()) {
    if (const Value* limit = resources["limits"].find(name)) {
      compare_with_limit(name, request, *limit, at, errors);
    } else if (name.find('/') != std::string::npos || name.starts_with("hugepages-")) {
      errors->required(path.child("limits"), "a limit must be set for non overcommitable resources");
    }
  }
}

void validate_containers(const Value& spec, const FieldPath& path, Errors* errors) {
  constexpr std::pair<std::string_view, Place> kLists[] = {
      {"containers", Place::kContainer}, {"initContainers", Place::kInit}, {"ephemeralContainers", Place::kEphemeral}};
  std::set<std::string_view> names;
  for (auto [key, place] : kLists) {
    const FieldPath list = path.child(key);
    for (size_t i = 0; i < spec[key].size(); ++i) {
      const Value& c = spec[key].at(i);
      const FieldPath at = list.index(i);
      validate_one(c, place, spec["volumes"], at, errors);
      const std::string_view name = c["name"].str(), target = c["targetContainerName"].str();
      if (!name.empty() && !names.insert(name).second) errors->duplicate(at.child("name"), name);
      if (!target.empty() && !has_named(spec["containers"], target) && !has_named(spec["initContainers"], target)) {
        errors->not_found(at.child("targetContainerName"), target);
      }
    }
  }
}

}  // namespace lotse::schema
