// RequestInfo: what a method and a URL mean to Kubernetes. The rules are those of upstream's request-info resolver, which
// authorization is built on: get a verb or a namespace wrong here and RBAC checks the wrong thing.
#pragma once
#include <optional>
#include <string_view>

#include "plugins/transport_rest/refusal.h"
#include "plugins/transport_rest/url.h"

namespace lotse::transport_rest {

// All views point into the Target that it was made from.
struct RequestInfo {
  uint32_t verb = 0;  // enum lotse_verb
  std::string_view group, version, resource, ns, name, subresource;
  std::string_view path;  // non-resource: the whole path; proxy: what follows "proxy"
  bool is_resource() const { return !resource.empty(); }
};

// Refuses methods that mean nothing for the path (405).
std::optional<Refusal> request_info(std::string_view method, const Target& target, RequestInfo& out);

// Kubernetes' reading of a boolean parameter: there, and neither "false" nor "0".
bool is_set(const Target& target, std::string_view name);

}  // namespace lotse::transport_rest
