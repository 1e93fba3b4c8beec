#include "core/schema/names.h"
#include "core/schema/qos.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

void check_range(const Value& v, int64_t low, int64_t high, const FieldPath& path, Errors* errors) {
  if (!v.is_number() || (v.integer() >= low && v.integer() <= high)) return;
  errors->invalid(path, v, "must be between " + std::to_string(low) + " and " + std::to_string(high) + ", inclusive");
}

void validate_dns(const Value& spec, const FieldPath& path, Errors* errors) {
  const Value& config = spec["dnsConfig"];
  const FieldPath at = path.child("dnsConfig"), servers = at.child("nameservers"), searches = at.child("searches"),
                  options = at.child("options");
  if (spec["dnsPolicy"].str() == "None" && config["nameservers"].empty()) {
    errors->required(servers, "must provide at least one DNS nameserver when `dnsPolicy` is None");
  }
  if (config["nameservers"].size() > 3)
    errors->invalid(servers, config["nameservers"], "must not have more than 3 nameservers");
  for (size_t i = 0; i < config["nameservers"].size(); ++i) {
    errors->check(servers.index(i), config["nameservers"].at(i).str(), ip_address(config["nameservers"].at(i).str()));
  }
  size_t length = 0;
  for (size_t i = 0; i < config["searches"].size(); ++i) {
    std::string_view domain = config["searches"].at(i).str();
    length += domain.size() + 1;
    if (domain == ".") continue;
    if (domain.ends_with('.')) domain.remove_suffix(1);
    std::string plain(domain);  // underscores are allowed in search paths
    std::replace(plain.begin(), plain.end(), '_', 'a');
    errors->check(searches.index(i), domain, dns_subdomain(plain));
  }
  if (config["searches"].size() > 32)
    errors->invalid(searches, config["searches"], "must not have more than 32 search paths");
  if (length > 2049)
    errors->invalid(searches, config["searches"], "must not have more than 2048 characters in all search paths");
  for (size_t i = 0; i < config["options"].size(); ++i) {
    const FieldPath option = options.index(i);
    if (config["options"].at(i)["name"].str().empty()) errors->required(option.child("name"), "must not be empty");
  }
}

void check_name(const Value& spec, std::string_view key, std::string (*form)(std::string_view), const FieldPath& path,
                Errors* errors) {
  const std::string_view name = spec[key].str();
  if (!name.empty()) errors->check(path.child(key), name, form(name));
}

void validate_host_aliases(const Value& aliases, const FieldPath& path, Errors* errors) {
  for (size_t i = 0; i < aliases.size(); ++i) {
    const FieldPath at = path.index(i), names = at.child("hostnames");
    errors->check(at.child("ip"), aliases.at(i)["ip"].str(), ip_address(aliases.at(i)["ip"].str()));
    const Value& hosts = aliases.at(i)["hostnames"];
    for (size_t n = 0; n < hosts.size(); ++n)
      errors->check(names.index(n), hosts.at(n).str(), dns_subdomain(hosts.at(n).str()));
  }
}

void validate_gates(const Value& spec, const FieldPath& path, Errors* errors) {
  const FieldPath readiness = path.child("readinessGates"), scheduling = path.child("schedulingGates");
  for (size_t i = 0; i < spec["readinessGates"].size(); ++i) {
    const std::string_view type = spec["readinessGates"].at(i)["conditionType"].str();
    const FieldPath at = readiness.index(i);
    if (!type.empty()) errors->check(at.child("conditionType"), type, qualified_name(type));
  }
  std::set<std::string_view> seen;
  for (size_t i = 0; i < spec["schedulingGates"].size(); ++i) {
    const std::string_view name = spec["schedulingGates"].at(i)["name"].str();
    const FieldPath at = scheduling.index(i);
    if (!name.empty()) errors->check(at.child("name"), name, qualified_name(name));
    if (!seen.insert(name).second) errors->duplicate(at.child("name"), name);
  }
}

// One host port is taken once for each protocol and address.
void validate_host_ports(const Value& spec, const FieldPath& path, Errors* errors) {
  std::set<std::string> taken;
  const bool host_network = spec["hostNetwork"].boolean();
  for (std::string_view key : {"containers", "initContainers"}) {
    const FieldPath list = path.child(key);
    for (size_t i = 0; i < spec[key].size(); ++i) {
      const FieldPath container = list.index(i), ports = container.child("ports");
      for (size_t p = 0; p < spec[key].at(i)["ports"].size(); ++p) {
        const Value& port = spec[key].at(i)["ports"].at(p);
        const FieldPath at = ports.index(p);
        const int64_t host = port["hostPort"].integer();
        if (host_network && host != port["containerPort"].integer()) {
          errors->invalid(at.child("containerPort"), port["containerPort"],
                          "must match `hostPort` when `hostNetwork` is true");
        }
        std::string use =
            std::string(port["protocol"].str()) + "/" + std::string(port["hostIP"].str()) + "/" + std::to_string(host);
        if (host != 0 && key == "containers" && !taken.insert(use).second) errors->duplicate(at.child("hostPort"), use);
      }
    }
  }
}

}  // namespace

void validate_pod_spec(const Value& spec, const FieldPath& path, bool in_template, Errors* errors) {
  if (!spec.is_object()) {
    if (!in_template) errors->required(path.child("containers"));
    return;
  }
  const FieldPath volumes = path.child("volumes");
  validate_volumes(spec["volumes"], volumes, errors);
  validate_containers(spec, path, errors);
  validate_host_ports(spec, path, errors);
  validate_dns(spec, path, errors);
  validate_scheduling(spec, path, errors);
  validate_security(spec, path, errors);
  validate_gates(spec, path, errors);
  validate_host_aliases(spec["hostAliases"], path.child("hostAliases"), errors);
  validate_quantities(spec["overhead"], path.child("overhead"), errors);
  check_range(spec["activeDeadlineSeconds"], 1, 2147483647, path.child("activeDeadlineSeconds"), errors);
  check_not_negative(spec["terminationGracePeriodSeconds"], path.child("terminationGracePeriodSeconds"), errors);
  check_name(spec, "hostname", dns_label, path, errors);
  check_name(spec, "subdomain", dns_label, path, errors);
  for (std::string_view key : {"nodeName", "serviceAccountName", "priorityClassName", "runtimeClassName"}) {
    check_name(spec, key, dns_subdomain, path, errors);
  }
  if (spec["hostPID"].boolean() && spec["shareProcessNamespace"].boolean()) {
    errors->invalid(path.child("shareProcessNamespace"), true, "may not be set together with `hostPID`");
  }
  if (in_template && !spec["ephemeralContainers"].empty()) {
    errors->forbidden(path.child("ephemeralContainers"), "ephemeral containers not allowed in pod template");
  }
}

void validate_pod_template(const Value& pod_template, const FieldPath& path, Errors* errors) {
  const FieldPath metadata = path.child("metadata"), spec = path.child("spec");
  validate_labels(pod_template["metadata"]["labels"], metadata.child("labels"), errors);
  validate_annotations(pod_template["metadata"]["annotations"], metadata.child("annotations"), errors);
  if (pod_template["spec"].is_object())
    validate_pod_spec(pod_template["spec"], spec, true, errors);
  else
    errors->required(spec.child("containers"));
}

void validate_pod(const Rules& r) {
  const FieldPath spec("spec");
  if (r.operation == Operation::kUpdateStatus) return validate_pod_update(r);
  validate_pod_spec(r.object["spec"], spec, false, &r.errors);
  if (r.old)
    validate_pod_update(r);
  else if (!r.object["spec"]["ephemeralContainers"].empty())
    r.errors.forbidden(spec.child("ephemeralContainers"), "cannot be set on create");
  if (!r.old && r.object["spec"]["nodeName"].is_string() && !r.object["spec"]["schedulingGates"].empty()) {
    r.errors.forbidden(spec.child("nodeName"), "cannot be set until all schedulingGates have been cleared");
  }
}

}  // namespace lotse::schema
