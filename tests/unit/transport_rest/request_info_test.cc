#include <lotse/abi/transport.h>

#include <catch2/catch.hpp>

#include "plugins/transport_rest/request_info.h"

using namespace lotse::transport_rest;

namespace {

struct Row {
  const char *method, *url;
  uint32_t verb;
  const char *group, *version, *ns, *resource, *name, *subresource;
};

// Rows 1 to 30 say what upstream's own table says about the same URLs.
const Row kRows[] = {
    {"GET", "/api/v1/namespaces", LOTSE_VERB_LIST, "", "v1", "", "namespaces", "", ""},
    {"GET", "/api/v1/namespaces/other", LOTSE_VERB_GET, "", "v1", "other", "namespaces", "other", ""},
    {"GET", "/api/v1/namespaces/other/pods", LOTSE_VERB_LIST, "", "v1", "other", "pods", "", ""},
    {"GET", "/api/v1/namespaces/other/pods/foo", LOTSE_VERB_GET, "", "v1", "other", "pods", "foo", ""},
    {"HEAD", "/api/v1/namespaces/other/pods/foo", LOTSE_VERB_GET, "", "v1", "other", "pods", "foo", ""},
    {"GET", "/api/v1/pods", LOTSE_VERB_LIST, "", "v1", "", "pods", "", ""},
    {"HEAD", "/api/v1/pods", LOTSE_VERB_LIST, "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/namespaces/other/pods/foo/status", LOTSE_VERB_GET, "", "v1", "other", "pods", "foo", "status"},
    {"GET", "/api/v1/namespaces/other/status", LOTSE_VERB_GET, "", "v1", "other", "namespaces", "other", "status"},
    {"PUT", "/api/v1/namespaces/other/finalize", LOTSE_VERB_UPDATE, "", "v1", "other", "namespaces", "other", "finalize"},
    {"DELETE", "/api/v1/namespaces/other/pods", LOTSE_VERB_DELETECOLLECTION, "", "v1", "other", "pods", "", ""},
    {"DELETE", "/api/v1/namespaces/other/pods/foo", LOTSE_VERB_DELETE, "", "v1", "other", "pods", "foo", ""},
    {"DELETE", "/api/v1/nodes", LOTSE_VERB_DELETECOLLECTION, "", "v1", "", "nodes", "", ""},
    {"POST", "/api/v1/pods", LOTSE_VERB_CREATE, "", "v1", "", "pods", "", ""},
    {"PATCH", "/api/v1/namespaces/other/pods/foo", LOTSE_VERB_PATCH, "", "v1", "other", "pods", "foo", ""},
    {"GET", "/api/v1/watch/pods", LOTSE_VERB_WATCH, "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/pods?watch=true", LOTSE_VERB_WATCH, "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/pods?watch=1", LOTSE_VERB_WATCH, "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/pods?watch", LOTSE_VERB_WATCH, "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/pods?watch=false", LOTSE_VERB_LIST, "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/pods?watch=0", LOTSE_VERB_LIST, "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/pods?watch=false&watch=true", LOTSE_VERB_LIST, "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/watch/namespaces/other/pods", LOTSE_VERB_WATCH, "", "v1", "other", "pods", "", ""},
    {"GET", "/api/v1/watch/namespaces/other/pods/foo", LOTSE_VERB_WATCH, "", "v1", "other", "pods", "foo", ""},
    {"GET", "/api/v1/watch/namespaces/other", LOTSE_VERB_WATCH, "", "v1", "other", "namespaces", "other", ""},
    {"GET", "/api/v1/watch/namespaces", LOTSE_VERB_WATCH, "", "v1", "", "namespaces", "", ""},
    {"GET", "/apis/apps/v1/namespaces/other/deployments", LOTSE_VERB_LIST, "apps", "v1", "other", "deployments", "", ""},
    {"PUT", "/apis/apps/v1/namespaces/other/deployments/foo/scale", LOTSE_VERB_UPDATE, "apps", "v1", "other", "deployments", "foo", "scale"},
    {"GET", "/apis/apps/v1/watch/deployments", LOTSE_VERB_WATCH, "apps", "v1", "", "deployments", "", ""},
    {"POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", LOTSE_VERB_CREATE, "rbac.authorization.k8s.io", "v1", "", "clusterroles", "", ""},
    {"GET", "/api/v1/nodes/n1?watch=true", LOTSE_VERB_GET, "", "v1", "", "nodes", "n1", ""},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name%3Dfoo", LOTSE_VERB_LIST, "", "v1", "", "pods", "foo", ""},
    {"GET", "/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Da,metadata.name%3D%3Dfoo", LOTSE_VERB_WATCH, "", "v1", "", "pods", "foo", ""},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name!%3Dfoo", LOTSE_VERB_LIST, "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/pods?fieldSelector=metadata.name%3Da%2Fb", LOTSE_VERB_LIST, "", "v1", "", "pods", "", ""},
    {"GET", "/api/v1/namespaces/ns/pods/foo/log", LOTSE_VERB_GET, "", "v1", "ns", "pods", "foo", "log"},
    {"GET", "/api/v1/namespaces/ns/pods/a%62c/", LOTSE_VERB_GET, "", "v1", "ns", "pods", "abc", ""},
    {"POST", "/api/v1/namespaces/ns/pods/foo/exec", LOTSE_VERB_CONNECT, "", "v1", "ns", "pods", "foo", "exec"},
    {"GET", "/api/v1/namespaces/ns/pods/foo/attach", LOTSE_VERB_CONNECT, "", "v1", "ns", "pods", "foo", "attach"},
    {"GET", "/api/v1/namespaces/ns/pods/foo/portforward", LOTSE_VERB_CONNECT, "", "v1", "ns", "pods", "foo", "portforward"},
    {"DELETE", "/api/v1/namespaces/ns/services/https:web:443/proxy/x", LOTSE_VERB_CONNECT, "", "v1", "ns", "services", "https:web:443", "proxy"},
    {"GET", "/apis/example.com/v1/namespaces/ns/pods/foo/exec", LOTSE_VERB_GET, "example.com", "v1", "ns", "pods", "foo", "exec"},
};

}  // namespace

TEST_CASE("a URL means what it means to Kubernetes") {
  for (const Row& row : kRows) {
    INFO(row.method << " " << row.url);
    Target target;
    RequestInfo info;
    REQUIRE_FALSE(parse_target(row.url, target));
    REQUIRE_FALSE(request_info(row.method, target, info));
    CHECK(info.verb == row.verb);
    CHECK(info.group == row.group);
    CHECK(info.version == row.version);
    CHECK(info.ns == row.ns);
    CHECK(info.resource == row.resource);
    CHECK(info.name == row.name);
    CHECK(info.subresource == row.subresource);
  }
}

TEST_CASE("paths that name no resource stay paths") {
  for (const char* url : {"/", "/healthz", "/version", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/openapi/v2",
                          "/openapi/v3/apis/apps/v1", "/api/v1//pods", "/apis/apps/v1/namespaces//deployments", "/metrics"}) {
    INFO(url);
    Target target;
    RequestInfo info;
    REQUIRE_FALSE(parse_target(url, target));
    REQUIRE_FALSE(request_info("GET", target, info));
    CHECK_FALSE(info.is_resource());
    CHECK(info.path == url);
    CHECK(info.verb == LOTSE_VERB_GET);
  }
}

TEST_CASE("what follows proxy is passed on as it is") {
  const std::pair<const char*, const char*> rows[] = {
      {"/api/v1/nodes/n/proxy", ""}, {"/api/v1/nodes/n/proxy/", "/"}, {"/api/v1/namespaces/a/pods/p/proxy/x//y/", "/x//y/"},
      {"/api/v1/namespaces/a/services/proxy/proxy/proxy/1", "/proxy/1"}};
  for (const auto& [url, path] : rows) {
    Target target;
    RequestInfo info;
    REQUIRE_FALSE(parse_target(url, target));
    REQUIRE_FALSE(request_info("PATCH", target, info));
    CHECK(info.verb == LOTSE_VERB_CONNECT);
    CHECK(info.path == path);
  }
}

TEST_CASE("methods that mean nothing are refused with what would") {
  const std::pair<const char*, const char*> rows[] = {
      {"TRACE", "/healthz"}, {"BREW", "/api/v1/pods"}, {"OPTIONS", "/api/v1/pods"}, {"CONNECT", "/"},
      {"PUT", "/api/v1/namespaces/a/pods/p/exec"}, {"POST", "/api/v1/watch/pods"}, {"get", "/healthz"}};
  for (const auto& [method, url] : rows) {
    INFO(method << " " << url);
    Target target;
    RequestInfo info;
    REQUIRE_FALSE(parse_target(url, target));
    const auto refusal = request_info(method, target, info);
    REQUIRE(refusal);
    CHECK(refusal->status == 405);
    CHECK_FALSE(refusal->allow.empty());
  }
  Target target;
  RequestInfo info;
  REQUIRE_FALSE(parse_target("/api/v1/watch", target));
  CHECK(request_info("GET", target, info)->status == 400);
}

TEST_CASE("URLs that no honest client sends are refused") {
  Target target;
  for (const char* url : {"", "*", "api/v1", "/%", "/%2", "/%zz", "/%00", "/a/../b", "/a/%2e%2E/b", "/a/.", "/..", "/%ff", "/%c0%af", "/%ed%a0%80",
                          "/a?x=%", "/a?x=%ff", "/a?a=1;b=2", "example.com:443"}) {
    INFO(url);
    const auto refusal = parse_target(url, target);
    REQUIRE(refusal);
    CHECK(refusal->status == 400);
  }
  std::string many = "/a?";
  for (size_t i = 0; i <= kQueryParametersMax; ++i) many += "a&";
  CHECK(parse_target(many, target));
}

TEST_CASE("parameters are decoded and keep their order") {
  Target target;
  REQUIRE_FALSE(parse_target("/x%C3%A4?command=sh&command=-c&command=a+b%2Bc%26&empty=&bare&&tty=1", target));
  CHECK(target.path == "/xä");
  const std::vector<std::pair<std::string, std::string>> want = {{"command", "sh"}, {"command", "-c"}, {"command", "a b+c&"},
                                                                 {"empty", ""}, {"bare", ""}, {"tty", "1"}};
  CHECK(target.query == want);
  REQUIRE_FALSE(parse_target("https://host:6443/api?x=1", target));
  CHECK(target.path == "/api");
  CHECK(*target.find("x") == "1");
}
