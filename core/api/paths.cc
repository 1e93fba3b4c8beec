// Paths that are no resources: health, version, metrics, discovery, OpenAPI, OpenID.
#include "core/api/server_impl.h"
#include "core/api/status_object.h"
#include "core/api/verbs.h"
#include "core/base/ids.h"

namespace lotse::api {
namespace {

Response text(int code, std::string body, std::string_view type = "text/plain; charset=utf-8") {
  Response r;
  r.status = code;
  r.content_type = type;
  r.body.emplace_back(std::string_view(body));
  return r;
}

Response document(const json::Value& v) {
  Response r;
  r.body.push_back(json::write_bytes(v));
  return r;
}

// With an ETag, so that clients that know it are not sent it again.
Response cached(const Request& request, Bytes body, std::string_view type) {
  Response r;
  const std::string etag = "\"" + sha256_hex(body).substr(0, 32) + "\"";
  r.content_type = type;
  r.headers.emplace_back("ETag", etag);
  for (const auto& [name, value] : request.headers) {
    if ((name == "If-None-Match" || name == "if-none-match") && value == etag) {
      r.status = 304;
      return r;
    }
  }
  r.body.push_back(std::move(body));
  return r;
}

Response health(const Call& call, std::string_view which, std::string_view one) {
  auto checks = call.server.checks();
  if (which == "livez" || which == "healthz") checks.clear();  // alive is who answers; what is not ready yet shows in readyz
  checks.emplace("ping", true);
  if (!one.empty()) {
    const auto it = checks.find(std::string(one));
    if (it == checks.end()) return text(404, "404 page not found\n");
    return it->second ? text(200, "ok") : text(500, "internal server error: " + std::string(one) + " is not ready\n");
  }
  std::string lines;
  bool good = true;
  for (const auto& [name, ok] : checks) {
    lines += (ok ? "[+]" : "[-]") + name + (ok ? " ok\n" : " failed: not ready\n");
    good &= ok;
  }
  if (!good) return text(500, lines + std::string(which) + " check failed\n");
  if (!call.request.has_option("verbose")) return text(200, "ok");
  return text(200, lines + std::string(which) + " check passed\n");
}

json::Value version(const std::string& git) {
  std::string minor = "36";
  if (const size_t a = git.find('.'); a != std::string::npos) minor = git.substr(a + 1, git.find('.', a + 1) - a - 1);
  return json::Value::object({{"major", "1"},
                              {"minor", minor},
                              {"gitVersion", git},
                              {"gitCommit", ""},
                              {"gitTreeState", ""},
                              {"buildDate", ""},
                              {"goVersion", "none"},
                              {"compiler", "gcc"},
                              {"platform", "linux/amd64"}});
}

bool accepts(std::string_view accept, std::string_view what) { return accept.find(what) != std::string_view::npos; }

Response discovery(const Request& r, bool core) {
  if (accepts(r.accept, "as=APIGroupDiscoveryList") && (accepts(r.accept, "v=v2;") || r.accept.ends_with("v=v2") || accepts(r.accept, "v=v2,"))) {
    return cached(r, json::write_bytes(schema::aggregated_discovery(core)),
                  "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
  }
  return document(core ? schema::api_versions() : schema::api_group_list());
}

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  while (!path.empty()) {
    if (path.front() == '/') {
      path.remove_prefix(1);
      continue;
    }
    const size_t end = path.find('/');
    parts.push_back(path.substr(0, end));
    path.remove_prefix(end == std::string_view::npos ? path.size() : end);
  }
  return parts;
}

Response found_or_not(const Result<json::Value>& v) {
  if (v.ok()) return document(*v);
  return status_response({Reason::kNotFound, "the server could not find the requested resource"});
}

Response openapi_v2(const Request& r) {
  if (accepts(r.accept, "proto-openapi.spec.v2")) {
    return cached(r, schema::openapi_v2_protobuf(), "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
  }
  static const Bytes json_text = json::write_bytes(schema::openapi_v2());
  return cached(r, json_text, "application/json");
}

Response openapi_v3(const Request& r, std::string_view path) {
  if (path == "/openapi/v3" || path == "/openapi/v3/") return document(schema::openapi_v3_index());
  const auto v = schema::openapi_v3(path.substr(std::string_view("/openapi/v3/").size()));
  if (!v.ok()) return found_or_not(v);
  return cached(r, json::write_bytes(*v), "application/json");
}

json::Value root() {
  json::Value paths = json::Value::array();
  for (const std::string_view p : {"/.well-known/openid-configuration", "/api", "/api/v1", "/apis", "/healthz", "/livez", "/metrics",
                                   "/openapi/v2", "/openapi/v3", "/openid/v1/jwks", "/readyz", "/version"}) {
    paths.push(p);
  }
  return json::Value::object({{"paths", std::move(paths)}});
}

Response answer(const Call& call) {
  const Request& r = call.request;
  const std::string_view path = r.path;
  const auto parts = parts_of(path);
  const std::string_view first = parts.empty() ? "" : parts[0];
  if (parts.empty()) return document(root());
  if ((first == "healthz" || first == "livez" || first == "readyz") && parts.size() <= 2) {
    return health(call, first, parts.size() == 2 ? parts[1] : "");
  }
  if (path == "/version" || path == "/version/") return document(version(call.server.config().version));
  if (path == "/metrics") return text(200, call.server.metrics().text(), "text/plain; version=0.0.4; charset=utf-8");
  if (path == "/openapi/v2") return openapi_v2(r);
  if (first == "openapi" && parts.size() >= 2 && parts[1] == "v3") return openapi_v3(r, path);
  if (path == "/.well-known/openid-configuration") return document(call.server.tokens().openid_configuration());
  if (path == "/openid/v1/jwks") {
    Response response = document(call.server.tokens().jwks());
    response.content_type = "application/jwk-set+json";
    return response;
  }
  if (first == "api" && parts.size() == 1) return discovery(r, true);
  if (first == "api" && parts.size() == 2) return found_or_not(schema::api_resources("", parts[1]));
  if (first == "apis" && parts.size() == 1) return discovery(r, false);
  if (first == "apis" && parts.size() == 2) return found_or_not(schema::api_group(parts[1]));
  if (first == "apis" && parts.size() == 3) return found_or_not(schema::api_resources(parts[1], parts[2]));
  return status_response({Reason::kNotFound, "the server could not find the requested resource"});
}

}  // namespace

void non_resource(const CallPtr& call) {
  const Verb verb = call->request.verb;
  if (verb != Verb::kGet && verb != Verb::kHead) {
    return call->fail({Reason::kMethodNotAllowed, "the server does not allow this method on the requested resource"});
  }
  call->reply(answer(*call));
}

}  // namespace lotse::api
