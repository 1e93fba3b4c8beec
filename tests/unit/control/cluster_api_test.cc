// All controllers at once with the real API server: each under its own service account and upstream's roles. What a
// story cannot show: that the requests are what the server takes, and that no controller needs more than its role.
#include "core/base/log.h"
#include "core/control/all.h"
#include "core/control/runner.h"
#include "unit/api/fixture.h"

namespace lotse::control {
namespace {
using namespace std::chrono_literals;

std::vector<std::string>& complaints() {
  static std::vector<std::string> all;
  return all;
}
void observe(std::string_view line) {
  if (line.find("control.failed") != std::string_view::npos) complaints().emplace_back(line);
}

// Refuses the creation of pods as a quota would, as often as it is told.
struct Quota : api::Handler {
  explicit Quota(api::Handler& n) : next(n) {}
  void handle(api::Request r, api::Respond respond) override {
    if (r.resource == "pods" && r.verb == api::Verb::kCreate && r.subresource.empty() && refuse > 0) {
      --refuse;
      return respond(api::status_response(Status(Reason::kInternalError, "exceeded quota")));
    }
    next.handle(std::move(r), std::move(respond));
  }
  api::Handler& next;
  int refuse = 0;
};

struct Fixture : api::ServerFixture {
  Fixture() {
    complaints().clear();
    log::set_observer(observe);
    Settings s;
    s.pod_cidrs = {"10.244.0.0/16"};
    s.service_cidrs = {"10.96.0.0/24"};
    s.advertise_address = "192.0.2.1";
    s.ca_pem = "CA";
    s.resources = schema_resources();
    runner.emplace(*store, quota, loop, all_controllers(s));
    REQUIRE(runner->start().ok());
    settle();
  }
  ~Fixture() {
    runner.reset();
    settle();
    log::set_observer(nullptr);
    for (const std::string& line : complaints()) {
      INFO(line);
      CHECK(line.find("Forbidden") == std::string::npos);
      CHECK(line.find("forbidden") == std::string::npos);
      CHECK(line.find("nvalid") == std::string::npos);
    }
  }
  // Two that write at once may meet a conflict, which is tried again a few milliseconds later.
  void settle() {
    ServerFixture::settle();
    loop.advance(100ms);
    ServerFixture::settle();
  }
  size_t count(std::string_view resource, std::string_view ns) { return value(list(resource, ns))["items"].size(); }
  void ready_pods(const std::string& ns = "default") {
    const json::Value pods = value(list("pods", ns));
    for (const auto& p : pods["items"].items()) {
      if (p["spec"]["nodeName"].str().empty()) {
        api::Request r =
            request(api::Verb::kCreate, "pods", ns, p["metadata"]["name"].str(),
                    R"({"apiVersion":"v1","kind":"Binding","metadata":{"name":")" +
                        std::string(p["metadata"]["name"].str()) + R"("},"target":{"kind":"Node","name":"n1"}})");
        r.subresource = "binding";
        must(ask(std::move(r)));
      }
      api::Request r = request(
          api::Verb::kPatch, "pods", ns, p["metadata"]["name"].str(),
          R"({"status":{"phase":"Running","podIP":"10.244.0.9","podIPs":[{"ip":"10.244.0.9"}],"conditions":[{"type":"Ready","status":"True","lastTransitionTime":"2026-01-01T00:00:00Z"}]}})");
      r.subresource = "status";
      must(ask(std::move(r)));
    }
    settle();
  }
  Quota quota{*server};
  std::optional<Runner> runner;
};

constexpr const char* kDeployment =
    R"({"metadata":{"name":"web"},"spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"c","image":"web:1"}]}}}})";
}  // namespace

TEST_CASE_METHOD(Fixture, "a fresh cluster gets its accounts, its CA and its Services") {
  CHECK(get("serviceaccounts", "kube-system", "default").status == 200);
  CHECK(value(get("configmaps", "kube-public", "kube-root-ca.crt"))["data"]["ca.crt"].str() == "CA");
  CHECK(value(get("services", "default", "kubernetes"))["spec"]["clusterIP"].str() == "10.96.0.1");
  CHECK(value(get("services", "kube-system", "kube-dns"))["spec"]["clusterIP"].str() == "10.96.0.10");
  CHECK(get("endpoints", "default", "kubernetes").status == 200);
  CHECK(get("endpointslices.discovery.k8s.io", "default", "kubernetes").status == 200);
  CHECK(runner->queued() == 0);
}

TEST_CASE_METHOD(Fixture, "a Deployment becomes pods, rolls, and goes with everything that it owns") {
  must(create("nodes", "", R"({"metadata":{"name":"n1"}})"));
  must(create("services", "default",
              R"({"metadata":{"name":"web"},"spec":{"selector":{"app":"web"},"ports":[{"port":80}]}})"));
  must(create("poddisruptionbudgets.policy", "default",
              R"({"metadata":{"name":"web"},"spec":{"minAvailable":2,"selector":{"matchLabels":{"app":"web"}}}})"));
  must(create("deployments.apps", "default", kDeployment));
  settle();
  CHECK(count("pods", "default") == 3);
  ready_pods();
  CHECK(value(get("deployments.apps", "default", "web"))["status"]["availableReplicas"].integer() == 3);
  CHECK(value(get("poddisruptionbudgets.policy", "default", "web"))["status"]["disruptionsAllowed"].integer() == 1);
  CHECK(value(get("endpoints", "default", "web"))["subsets"].at(0)["addresses"].size() == 1);
  CHECK(value(get("nodes", "", "n1"))["spec"]["podCIDR"].str() == "10.244.0.0/24");

  must(patch("deployments.apps", "default", "web", R"({"spec":{"template":{"metadata":{"annotations":{"v":"2"}}}}})"));
  settle();
  CHECK(count("replicasets.apps", "default") == 2);
  for (int i = 0; i < 6; ++i) ready_pods();
  const json::Value d = value(get("deployments.apps", "default", "web"));
  CHECK(d["status"]["updatedReplicas"].integer() == 3);
  CHECK(d["metadata"]["annotations"]["deployment.kubernetes.io/revision"].str() == "2");

  must(remove("deployments.apps", "default", "web", R"({"propagationPolicy":"Foreground"})"));
  settle();
  const json::Value pods = value(list("pods", "default"));
  for (const auto& p : pods["items"].items())
    must(remove("pods", "default", p["metadata"]["name"].str(), R"({"gracePeriodSeconds":0})"));
  settle();
  CHECK(get("deployments.apps", "default", "web").status == 404);
  CHECK(count("replicasets.apps", "default") == 0);
}

TEST_CASE_METHOD(Fixture, "what is refused is said, tried again after a while, and then forgotten") {
  quota.refuse = 2;
  must(create("deployments.apps", "default", kDeployment));
  ServerFixture::settle();
  CHECK(count("pods", "default") == 0);  // slow start: the other two were not even tried
  json::Value d = value(get("deployments.apps", "default", "web"));
  CHECK(json::write(d["status"]["conditions"]).find("ReplicaFailure") != std::string::npos);
  const json::Value events = value(list("events", "default"));
  CHECK(json::write(events).find("Error creating: exceeded quota") != std::string::npos);
  CHECK(runner->queued() > 0);
  loop.advance(50ms);
  settle();
  CHECK(count("pods", "default") == 3);
  d = value(get("deployments.apps", "default", "web"));
  CHECK(json::write(d["status"]["conditions"]).find("ReplicaFailure") == std::string::npos);
}

TEST_CASE_METHOD(Fixture, "a Namespace is emptied and goes") {
  must(create("namespaces", "", R"({"metadata":{"name":"team"}})"));
  settle();
  CHECK(get("serviceaccounts", "team", "default").status == 200);
  must(create("deployments.apps", "team", kDeployment));
  must(create("services", "team",
              R"({"metadata":{"name":"web"},"spec":{"selector":{"app":"web"},"ports":[{"port":80}]}})"));
  settle();
  CHECK(count("pods", "team") == 3);
  must(remove("namespaces", "", "team"));
  for (int i = 0; i < 20; ++i) {
    loop.advance(1s);
    settle();
  }
  CHECK(get("namespaces", "", "team").status == 404);
  CHECK(count("pods", "team") == 0);
}

TEST_CASE_METHOD(Fixture, "a node that falls silent is marked and its pods are evicted") {
  for (const char* n : {"n1", "n2"}) {
    must(create("nodes", "", R"({"metadata":{"name":")" + std::string(n) + R"("}})"));
    must(create(
        "leases.coordination.k8s.io", "kube-node-lease",
        R"({"metadata":{"name":")" + std::string(n) + R"("},"spec":{"renewTime":"2026-01-01T00:00:00.000000Z"}})"));
    api::Request r =
        request(api::Verb::kPatch, "nodes", "", n, R"({"status":{"conditions":[{"type":"Ready","status":"True"}]}})");
    r.subresource = "status";
    must(ask(std::move(r)));
  }
  settle();
  must(create("deployments.apps", "default", kDeployment));
  settle();
  ready_pods();
  for (int i = 1; i <= 8; ++i) {
    must(patch("leases.coordination.k8s.io", "kube-node-lease", "n2",
               R"({"spec":{"renewTime":"2026-01-01T00:00:0)" + std::to_string(i) + R"(.000000Z"}})"));
    settle();
    loop.advance(6s);
    settle();
  }
  const json::Value node = value(get("nodes", "", "n1"));
  CHECK(node["spec"]["taints"].size() == 2);
  CHECK(value(get("nodes", "", "n2"))["spec"]["taints"].size() == 0);
  const json::Value pods = value(list("pods", "default"));
  for (const auto& p : pods["items"].items())
    for (const auto& c : p["status"]["conditions"].items())
      if (c["type"].str() == "Ready") CHECK(c["status"].str() == "False");
}

}  // namespace lotse::control
