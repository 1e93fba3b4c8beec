// Probes and lifecycle hooks.
#include "core/schema/names.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

void check_http(const Value& http, const FieldPath& path, Errors* errors) {
  if (http["path"].str().empty()) errors->required(path.child("path"));
  check_port(http["port"], path.child("port"), errors);
  const FieldPath headers = path.child("httpHeaders");
  for (size_t i = 0; i < http["httpHeaders"].size(); ++i) {
    const std::string_view name = http["httpHeaders"].at(i)["name"].str();
    const FieldPath at = headers.index(i);
    const bool token = std::all_of(name.begin(), name.end(), [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
    });
    if (!name.empty() && !token)
      errors->invalid(at.child("name"), name, "a valid HTTP header name has letters, digits, '-' and '_'");
  }
}

// Exactly one way of acting; which ones there are depends on probe or hook.
void check_handler(const Value& h, std::span<const std::string_view> allowed, const FieldPath& path, Errors* errors) {
  std::string_view chosen;
  for (std::string_view name : allowed) {
    if (h[name].is_null()) continue;
    if (!chosen.empty()) {
      errors->forbidden(path.child(name), "may not specify more than 1 handler type");
      continue;
    }
    chosen = name;
    const FieldPath at = path.child(name);
    if (name == "exec" && h[name]["command"].empty()) errors->required(at.child("command"));
    if (name == "httpGet") check_http(h[name], at, errors);
    if (name == "tcpSocket" || name == "grpc") check_port(h[name]["port"], at.child("port"), errors);
  }
  if (chosen.empty()) errors->required(path, "must specify a handler type");
}

void check_probe(const Value& p, std::string_view kind, const FieldPath& path, Errors* errors) {
  constexpr std::string_view kHandlers[] = {"exec", "httpGet", "tcpSocket", "grpc"};
  check_handler(p, kHandlers, path, errors);
  for (std::string_view key :
       {"initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"}) {
    check_not_negative(p[key], path.child(key), errors);
  }
  const Value& grace = p["terminationGracePeriodSeconds"];
  if (kind == "readinessProbe") {
    if (!grace.is_null())
      errors->invalid(path.child("terminationGracePeriodSeconds"), grace, "must not be set for readinessProbes");
    return;
  }
  if (!grace.is_null() && grace.integer() <= 0)
    errors->invalid(path.child("terminationGracePeriodSeconds"), grace, "must be greater than 0");
  if (p["successThreshold"].integer(1) != 1)
    errors->invalid(path.child("successThreshold"), p["successThreshold"], "must be 1");
}

}  // namespace

void validate_probes(const Value& container, bool is_init, bool is_sidecar, const FieldPath& path, Errors* errors) {
  const bool forbidden = is_init && !is_sidecar;
  for (std::string_view kind : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    if (container[kind].is_null()) continue;
    if (forbidden)
      errors->forbidden(path.child(kind), "may not be set for init containers without restartPolicy=Always");
    else
      check_probe(container[kind], kind, path.child(kind), errors);
  }
  if (container["lifecycle"].is_null()) return;
  const FieldPath lifecycle = path.child("lifecycle");
  if (forbidden) return errors->forbidden(lifecycle, "may not be set for init containers without restartPolicy=Always");
  constexpr std::string_view kHandlers[] = {"exec", "httpGet", "tcpSocket", "sleep"};
  for (std::string_view hook : {"postStart", "preStop"}) {
    const Value& h = container["lifecycle"][hook];
    if (h.is_null()) continue;
    const FieldPath at = lifecycle.child(hook), sleep = at.child("sleep");
    check_handler(h, kHandlers, at, errors);
    check_not_negative(h["sleep"]["seconds"], sleep.child("seconds"), errors);
  }
}

}  // namespace lotse::schema
