#include "unit/api/fixture.h"

namespace lotse::api {
namespace {

struct QuotaFixture : ServerFixture {
  static std::string yaml(std::string_view text) { return json::write(*json::parse_yaml(text)); }
  static std::string sized(std::string_view name, std::string_view resources) {
    return yaml("apiVersion: v1\nkind: Pod\nmetadata: {name: " + std::string(name) + "}\nspec: {containers: [{name: c, image: i, resources: " + std::string(resources) + "}]}\n");
  }
  std::string refusal(const Response& r) {
    CHECK(r.status == 403);
    return std::string(value(r)["message"].str());
  }
  void range(std::string_view limits) {
    must(create("limitranges", "default", yaml("metadata: {name: limits}\nspec: {limits: " + std::string(limits) + "}\n")));
  }
  // As the controller leaves it: counted, with nothing used.
  void quota(std::string_view spec, std::string_view hard, std::string_view name = "q") {
    const std::string text = "metadata: {name: " + std::string(name) + "}\nspec: {hard: " + std::string(hard) + std::string(spec) + "}\n";
    json::Value v = must(create("resourcequotas", "default", yaml(text)));
    json::Value used = v["spec"]["hard"];
    for (auto& [resource, amount] : used.object_members()) amount = "0";
    v["status"] = json::Value::object({{"hard", v["spec"]["hard"]}, {"used", used}});
    Request r = request(Verb::kUpdate, "resourcequotas", "default", name, json::write(v));
    r.subresource = "status";
    must(ask(std::move(r)));
  }
  std::string used(std::string_view name = "q") { return json::write(must(get("resourcequotas", "default", name))["status"]["used"]); }
};

}  // namespace

TEST_CASE_METHOD(QuotaFixture, "A LimitRange gives containers what they do not ask for") {
  range("[{type: Container, default: {cpu: 200m, memory: 64Mi}, defaultRequest: {cpu: 100m}}]");
  const auto v = must(create("pods", "default", sized("p", "{limits: {memory: 32Mi}}")));
  CHECK(json::write(v["spec"]["containers"].at(0)["resources"]) == R"({"limits":{"cpu":"200m","memory":"32Mi"},"requests":{"cpu":"100m","memory":"32Mi"}})");
  CHECK(v["metadata"]["annotations"]["kubernetes.io/limit-ranger"].str() == "LimitRanger plugin set: cpu request for container c; cpu limit for container c");
  CHECK(v["status"]["qosClass"].str() == "Burstable");
}

TEST_CASE_METHOD(QuotaFixture, "A LimitRange refuses too little, too much, and limits far above requests") {
  range("[{type: Container, min: {cpu: 50m}, max: {cpu: '1'}, maxLimitRequestRatio: {cpu: '2'}}, {type: Pod, max: {memory: 1Gi}}]");
  const std::string forbidden = "pods \"p\" is forbidden: ";
  const auto said = [&](std::string_view resources) { return refusal(create("pods", "default", sized("p", resources))); };
  CHECK(said("{requests: {cpu: 10m}, limits: {cpu: 20m, memory: 1Gi}}") ==
        forbidden + "minimum cpu usage per Container is 50m, but request is 10m");
  CHECK(said("{requests: {cpu: '1'}, limits: {cpu: '1500m', memory: 1Gi}}") == forbidden + "maximum cpu usage per Container is 1, but limit is 1500m");
  CHECK(said("{requests: {cpu: 100m}, limits: {cpu: 500m, memory: 1Gi}}") ==
        forbidden + "cpu max limit to request ratio per Container is 2, but provided ratio is 5.000000");
  CHECK(said("{requests: {cpu: 100m}, limits: {cpu: 100m, memory: 2Gi}}") == forbidden + "maximum memory usage per Pod is 1Gi, but limit is 2Gi");
  CHECK(said("{requests: {cpu: 100m}, limits: {cpu: 100m}}") == forbidden + "maximum memory usage per Pod is 1Gi.  No limit is specified");
  CHECK(create("pods", "default", sized("p", "{requests: {cpu: 100m}, limits: {cpu: 200m, memory: 1Gi}}")).status == 201);
}

TEST_CASE_METHOD(QuotaFixture, "A quota counts objects until it is used up") {
  quota("", "{configmaps: '2', count/secrets: '1'}");
  must(create("configmaps", "default", config_map("a")));
  must(create("configmaps", "default", config_map("b")));
  CHECK(used() == R"({"configmaps":"2","count/secrets":"0"})");
  CHECK(refusal(create("configmaps", "default", config_map("c"))) == "configmaps \"c\" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=2, limited: configmaps=2");
  CHECK(create("configmaps", "kube-system", config_map("c")).status == 201);
  must(create("secrets", "default", R"({"metadata":{"name":"s"}})"));
  CHECK(refusal(create("secrets", "default", R"({"metadata":{"name":"t"}})")) ==
        "secrets \"t\" is forbidden: exceeded quota: q, requested: count/secrets=1, used: count/secrets=1, limited: count/secrets=1");
}

TEST_CASE_METHOD(QuotaFixture, "What is not stored after all is not charged") {
  quota("", "{configmaps: '5'}");
  must(create("configmaps", "default", config_map("a")));
  CHECK(create("configmaps", "default", config_map("a")).status == 409);
  Request dry = request(Verb::kCreate, "configmaps", "default", {}, config_map("b"));
  dry.options = {{"dryRun", "All"}};
  CHECK(ask(dry).status == 201);
  settle();
  CHECK(used() == R"({"configmaps":"1"})");
}

TEST_CASE_METHOD(QuotaFixture, "A quota of cpu and memory wants every container to say what it needs") {
  quota("", "{requests.cpu: '1', limits.memory: 1Gi, pods: '3'}");
  CHECK(refusal(create("pods", "default", sized("p", "{requests: {cpu: 100m}}"))) == "pods \"p\" is forbidden: failed quota: q: must specify limits.memory for: c");
  CHECK(refusal(create("pods", "default", pod("p"))) == "pods \"p\" is forbidden: failed quota: q: must specify limits.memory for: c; requests.cpu for: c");
  must(create("pods", "default", sized("p", "{requests: {cpu: 700m}, limits: {memory: 100Mi}}")));
  CHECK(used() == R"({"limits.memory":"100Mi","pods":"1","requests.cpu":"700m"})");
  CHECK(refusal(create("pods", "default", sized("o", "{requests: {cpu: 400m}, limits: {memory: 100Mi}}"))) ==
        "pods \"o\" is forbidden: exceeded quota: q, requested: requests.cpu=400m, used: requests.cpu=700m, limited: requests.cpu=1");
}

TEST_CASE_METHOD(QuotaFixture, "Scopes say which pods a quota is about") {
  quota(", scopes: [BestEffort]", "{pods: '1'}", "best");
  quota(", scopes: [NotBestEffort]", "{pods: '1'}", "sized");
  quota(", scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: In, values: [high]}]}", "{pods: '0'}", "high");
  must(create("pods", "default", pod("a")));
  CHECK(refusal(create("pods", "default", pod("b"))).find("exceeded quota: best") != std::string::npos);
  must(create("pods", "default", sized("c", "{requests: {cpu: 1m}}")));
  CHECK(refusal(create("pods", "default", sized("d", "{requests: {cpu: 1m}}"))).find("exceeded quota: sized") != std::string::npos);
  CHECK(used("high") == R"({"pods":"0"})");
}

TEST_CASE_METHOD(QuotaFixture, "A service's node ports are counted when it is changed as well") {
  quota("", "{services: '2', services.nodeports: '1'}");
  const auto service = [](std::string_view type, std::string_view ports) {
    return yaml("metadata: {name: s}\nspec: {type: " + std::string(type) + ", ports: " + std::string(ports) + "}\n");
  };
  must(create("services", "default", service("ClusterIP", "[{port: 80}]")));
  CHECK(used() == R"({"services":"1","services.nodeports":"0"})");
  must(patch("services", "default", "s", R"({"spec":{"type":"NodePort"}})"));
  CHECK(used() == R"({"services":"1","services.nodeports":"1"})");
  CHECK(refusal(patch("services", "default", "s", R"({"spec":{"ports":[{"port":80,"name":"a"},{"port":81,"name":"b"}]}})")).find("exceeded quota: q, requested: services.nodeports=1") !=
        std::string::npos);
  must(patch("services", "default", "s", R"({"spec":{"type":"ClusterIP","ports":[{"port":80}]}})"));
  CHECK(used() == R"({"services":"1","services.nodeports":"0"})");
}

TEST_CASE_METHOD(QuotaFixture, "Options that are no numbers and quantities without end are refused") {
  Request r = request(Verb::kList, "pods", "default");
  r.options = {{"timeoutSeconds", "x"}};
  CHECK(ask(r).status == 400);
  r.options = {{"limit", "1x"}};
  CHECK(ask(r).status == 400);
  CHECK(create("pods", "default", sized("p", "{requests: {cpu: '" + std::string(1000000, '1') + "'}}")).status == 400);
}

TEST_CASE_METHOD(QuotaFixture, "An eviction may come in the version of old clients") {
  must(create("pods", "default", pod("p")));
  Request r = request(Verb::kCreate, "pods", "default", "p", R"({"apiVersion":"policy/v1beta1","kind":"Eviction","metadata":{"name":"p","namespace":"default"}})");
  r.subresource = "eviction";
  CHECK(ask(r).status == 201);
}

}  // namespace lotse::api
