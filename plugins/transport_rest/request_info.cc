#include "plugins/transport_rest/request_info.h"

#include <lotse/abi/transport.h>

namespace lotse::transport_rest {
namespace {

using Parts = std::vector<std::string_view>;

Parts split_path(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  Parts parts;
  if (path.empty()) return parts;
  for (;;) {
    const size_t slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

uint32_t resource_verb(std::string_view method) {
  if (method == "GET" || method == "HEAD") return LOTSE_VERB_GET;
  if (method == "POST") return LOTSE_VERB_CREATE;
  if (method == "PUT") return LOTSE_VERB_UPDATE;
  if (method == "PATCH") return LOTSE_VERB_PATCH;
  if (method == "DELETE") return LOTSE_VERB_DELETE;
  return 0;
}

uint32_t path_verb(std::string_view method) {
  if (method == "GET") return LOTSE_VERB_GET;
  if (method == "HEAD") return LOTSE_VERB_HEAD;
  if (method == "POST") return LOTSE_VERB_POST;
  if (method == "PUT") return LOTSE_VERB_PUT;
  if (method == "OPTIONS") return LOTSE_VERB_OPTIONS;
  if (method == "PATCH") return LOTSE_VERB_PATCH;
  if (method == "DELETE") return LOTSE_VERB_DELETE;
  return 0;
}

bool is_connect(const RequestInfo& info) {
  if (!info.group.empty() || info.name.empty()) return false;
  const std::string_view sub = info.subresource;
  if (info.resource == "pods") return sub == "exec" || sub == "attach" || sub == "portforward" || sub == "proxy";
  return (info.resource == "services" || info.resource == "nodes") && sub == "proxy";
}

// metadata.name out of a field selector that demands one name exactly; "" otherwise.
std::string_view name_in_selector(std::string_view selector) {
  while (!selector.empty()) {
    const size_t comma = std::min(selector.find(','), selector.size());
    std::string_view term = selector.substr(0, comma);
    selector.remove_prefix(std::min(comma + 1, selector.size()));
    if (!term.starts_with("metadata.name=")) continue;
    term.remove_prefix(14);
    if (term.starts_with('=')) term.remove_prefix(1);
    if (term.find_first_of("/%\\=") != std::string_view::npos || term == "." || term == "..") return {};
    return term;
  }
  return {};
}

Refusal not_allowed(std::string_view method, std::string allow) {
  std::string message = "the server does not allow this method on the requested resource";
  if (method.size() <= 16) message.append(": ").append(method);
  return Refusal{405, std::move(message), std::move(allow)};
}

// What is left of the path behind "proxy": "" or "/...", a trailing slash kept.
std::string_view behind(std::string_view path, std::string_view part) {
  return path.substr(static_cast<size_t>(part.data() + part.size() - path.data()));
}

std::optional<Refusal> plain_path(std::string_view method, const Target& target, RequestInfo& out) {
  out = RequestInfo{};
  out.path = target.path;
  out.verb = path_verb(method);
  if (out.verb == 0) return not_allowed(method, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  return std::nullopt;
}

}  // namespace

bool is_set(const Target& target, std::string_view name) {
  const std::string* value = target.find(name);
  if (!value) return false;
  if (*value == "0") return false;
  return !(value->size() == 5 && (std::string_view(*value) == "false" || std::string_view(*value) == "False" ||
                                  std::string_view(*value) == "FALSE"));
}

std::optional<Refusal> request_info(std::string_view method, const Target& target, RequestInfo& out) {
  out = RequestInfo{};
  Parts parts = split_path(target.path);
  const bool core = !parts.empty() && parts[0] == "api";
  const bool group = !parts.empty() && parts[0] == "apis";
  if ((!core && !group) || parts.size() < (core ? 3u : 4u)) return plain_path(method, target, out);
  size_t at = 1;
  if (group) out.group = parts[at++];
  out.version = parts[at++];

  // /watch/ before the resource: deprecated, still part of the API.
  bool watch = false;
  if (parts[at] == "watch") {
    if (parts.size() == at + 1) return Refusal{400, "unable to determine kind and namespace from url"};
    watch = true;
    ++at;
  }
  if (parts[at] == "namespaces" && parts.size() > at + 1) {
    out.ns = parts[at + 1];
    const bool deeper = parts.size() > at + 2 && parts[at + 2] != "status" && parts[at + 2] != "finalize";
    if (deeper) at += 2;
  }
  out.resource = parts[at];
  if (parts.size() > at + 1) out.name = parts[at + 1];
  if (parts.size() > at + 2) out.subresource = parts[at + 2];

  // An empty segment names nothing: no resource matches, and the host answers 404 for the path.
  const bool proxied = is_connect(out) && out.subresource == "proxy";
  for (size_t i = 1; i < (proxied ? at + 3 : parts.size()); ++i) {
    if (parts[i].empty()) return plain_path(method, target, out);
  }

  if (is_connect(out)) {
    out.verb = LOTSE_VERB_CONNECT;
    if (proxied) out.path = behind(target.path, out.subresource);
    const bool any = proxied && path_verb(method) != 0;
    if (!any && method != "GET" && method != "POST") return not_allowed(method, "GET, POST");
    return std::nullopt;
  }
  out.verb = watch ? uint32_t{LOTSE_VERB_WATCH} : resource_verb(method);
  if (out.verb == 0 || (watch && method != "GET")) return not_allowed(method, watch ? "GET" : "GET, HEAD, POST, PUT, PATCH, DELETE");
  if (out.name.empty() && out.verb == LOTSE_VERB_GET) {
    out.verb = is_set(target, "watch") ? LOTSE_VERB_WATCH : LOTSE_VERB_LIST;
    if (const std::string* selector = target.find("fieldSelector")) out.name = name_in_selector(*selector);
  }
  if (out.name.empty() && out.verb == LOTSE_VERB_DELETE) out.verb = LOTSE_VERB_DELETECOLLECTION;
  return std::nullopt;
}

}  // namespace lotse::transport_rest
