// From documents to what the runtime, the kernel and the volumes get.
#include "core/agent/admission.h"
#include "core/agent/container_config.h"
#include "core/agent/image_credentials.h"
#include "core/agent/node_status.h"
#include "core/agent/pod_tokens.h"
#include "core/agent/resources.h"
#include "core/agent/sandbox_config.h"
#include "core/agent/security_context.h"
#include "core/agent/volumes.h"
#include "core/base/ids.h"
#include "tests/unit/agent/story.h"

using namespace lotse;
using namespace lotse::agent;

TEST_CASE("$(NAME) is expanded, $$ escapes, what is unknown stays") {
  EnvironmentMap env{{"A", "1"}, {"B", "two"}};
  CHECK(expand("$(A)-$(B)", env) == "1-two");
  CHECK(expand("$$(A)", env) == "$(A)");
  CHECK(expand("$(NONE)", env) == "$(NONE)");
  CHECK(expand("cost $5 $(", env) == "cost $5 $(");
  CHECK(expand("$$$(A)", env) == "$1");
}

namespace {

const char* kEnvPod = R"yaml(
metadata: {name: p, namespace: ns, uid: u1, labels: {app: web}, annotations: {note: "a\nb"}}
spec:
  nodeName: n1
  containers:
  - name: c
    resources: {limits: {cpu: 1500m, memory: 64Mi}, requests: {cpu: 250m}}
    envFrom: [{prefix: P_, configMapRef: {name: settings}}, {secretRef: {name: gone, optional: true}}]
    env:
    - {name: PLAIN, value: "x$(P_color)"}
    - {name: LATER, value: "$(AFTER)"}
    - {name: AFTER, value: z}
    - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: LABEL, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
    - {name: CPU_M, valueFrom: {resourceFieldRef: {resource: requests.cpu, divisor: 1m}}}
    - {name: MEM, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
    - {name: PASSWORD, valueFrom: {secretKeyRef: {name: login, key: password}}}
)yaml";

Referenced env_refs() {
  Referenced refs;
  refs[{RefKind::kConfigMap, "settings"}] = object("kind: ConfigMap\nmetadata: {name: settings, namespace: ns}\ndata: {color: red}");
  refs[{RefKind::kSecret, "gone"}] = nullptr;
  refs[{RefKind::kSecret, "login"}] = object("kind: Secret\nmetadata: {name: login, namespace: ns}\ndata: {password: aHVudGVyMg==}");
  return refs;
}

}  // namespace

TEST_CASE("env, envFrom and valueFrom make one environment") {
  auto pod = yaml(kEnvPod);
  const json::Value& c = find_container(pod, "c");
  PodFacts facts{{"192.0.2.1"}, {"10.0.0.7"}, {}};
  std::vector<ServiceLink> services{{"default", "kubernetes", "10.96.0.1", {{"https", "TCP", 443}}},
                                    {"ns", "db-main", "10.96.0.9", {{"sql", "TCP", 5432}}},
                                    {"other", "far", "10.96.0.8", {{"", "TCP", 1}}},
                                    {"ns", "headless", "None", {{"", "TCP", 1}}}};
  auto env = make_environment(pod, c, env_refs(), services, facts);
  REQUIRE(env.ok());
  std::map<std::string, std::string> m(env->begin(), env->end());
  CHECK(m["P_color"] == "red");
  CHECK(m["PLAIN"] == "xred");
  CHECK(m["LATER"] == "$(AFTER)");
  CHECK(m["POD"] == "p");
  CHECK(m["LABEL"] == "web");
  CHECK(m["IP"] == "10.0.0.7");
  CHECK(m["CPU"] == "2");
  CHECK(m["CPU_M"] == "250");
  CHECK(m["MEM"] == "64");
  CHECK(m["PASSWORD"] == "hunter2");
  CHECK(m["KUBERNETES_SERVICE_HOST"] == "10.96.0.1");
  CHECK(m["DB_MAIN_SERVICE_PORT_SQL"] == "5432");
  CHECK(m["DB_MAIN_PORT_5432_TCP_ADDR"] == "10.96.0.9");
  CHECK_FALSE(m.contains("FAR_SERVICE_HOST"));
  CHECK_FALSE(m.contains("HEADLESS_SERVICE_HOST"));
}

TEST_CASE("a key or object that is missing is said by name; one that was not read yet is waited for") {
  auto pod = yaml(kEnvPod);
  const json::Value& c = find_container(pod, "c");
  auto refs = env_refs();
  refs[{RefKind::kSecret, "login"}] = object("kind: Secret\nmetadata: {name: login, namespace: ns}\ndata: {}");
  CHECK(make_environment(pod, c, refs, {}, {}).status().message == "couldn't find key password in Secret ns/login");
  refs[{RefKind::kConfigMap, "settings"}] = nullptr;
  CHECK(make_environment(pod, c, refs, {}, {}).status().message == "configmap \"settings\" not found");
  refs.erase({RefKind::kConfigMap, "settings"});
  CHECK(make_environment(pod, c, refs, {}, {}).status().reason == Reason::kServiceUnavailable);
}

TEST_CASE("quality of service follows requests and limits") {
  auto qos = [](const char* resources) {
    return std::string(qos_name(qos_of(yaml(std::string("spec: {containers: [{name: a, resources: ") + resources + "}]}"))));
  };
  CHECK(qos("{}") == "BestEffort");
  CHECK(qos("{requests: {cpu: 1}}") == "Burstable");
  CHECK(qos("{limits: {cpu: 1, memory: 1Gi}}") == "Guaranteed");
  CHECK(qos("{limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 1000m, memory: 1Gi}}") == "Guaranteed");
  CHECK(qos("{limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m}}") == "Burstable");
}

TEST_CASE("cpu and memory in the kernel's units") {
  CHECK(cpu_shares(1000) == 1024);
  CHECK(cpu_shares(0) == 2);
  CHECK(cpu_quota_us(500) == 50000);
  CHECK(cpu_quota_us(1) == 1000);
  CHECK(cpu_weight(2) == 1);
  CHECK(cpu_weight(1024) == 39);
  CHECK(cpu_weight(262144) == 10000);
  CHECK(oom_score_adj(Qos::kGuaranteed, 0, 1 << 30, false) == -997);
  CHECK(oom_score_adj(Qos::kBestEffort, 0, 1 << 30, false) == 1000);
  CHECK(oom_score_adj(Qos::kBurstable, 1 << 29, 1 << 30, false) == 500);
  auto a = pod_amounts(yaml(R"(
spec:
  initContainers:
  - {name: i, resources: {requests: {cpu: 3}}}
  - {name: s, restartPolicy: Always, resources: {requests: {cpu: 1}, limits: {cpu: 1}}}
  containers: [{name: a, resources: {requests: {cpu: 500m}}}, {name: b, resources: {limits: {memory: 1Mi}}}]
)"));
  CHECK(a.cpu_request_m == 3000);
  CHECK(a.cpu_limit_m == 0);  // not all have one
  CHECK(a.memory_request == 1 << 20);
  auto container = yaml("{name: c, resources: {limits: {cpu: 500m, memory: 1Mi, hugepages-2Mi: 4Mi}}}");
  auto r = runtime_resources(container, Qos::kGuaranteed, 1 << 30, false, {{"memory.oom.group", "1"}});
  CHECK(r["hugepages"]["2MB"].as_int() == 4 << 20);
  CHECK(r["unified"]["memory.oom.group"].as_text() == "1");
  CHECK(runtime_resources(container, Qos::kGuaranteed, 1 << 30, false)["unified"].is_nil());  // v1
}

TEST_CASE("DNS by policy") {
  Config config;
  config.cluster_dns = {"10.96.0.10"};
  auto host = parse_resolv_conf("# made by hand\nnameserver 192.0.2.53\nsearch example.org\noptions rotate\n");
  auto pod = [](const char* spec) { return yaml(std::string("metadata: {name: p, namespace: ns}\nspec: ") + spec); };
  auto d = pod_dns(pod("{}"), config, host);
  CHECK(d.servers == std::vector<std::string>{"10.96.0.10"});
  CHECK(d.searches == std::vector<std::string>{"ns.svc.cluster.local", "svc.cluster.local", "cluster.local", "example.org"});
  CHECK(d.options == std::vector<std::string>{"ndots:5"});
  CHECK(pod_dns(pod("{hostNetwork: true}"), config, host).servers == std::vector<std::string>{"192.0.2.53"});
  CHECK(pod_dns(pod("{hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet}"), config, host).servers == std::vector<std::string>{"10.96.0.10"});
  auto own = pod_dns(pod("{dnsPolicy: None, dnsConfig: {nameservers: [192.0.2.1], searches: [a.b], options: [{name: ndots, value: \"2\"}]}}"), config, host);
  CHECK(own.servers == std::vector<std::string>{"192.0.2.1"});
  CHECK(own.options == std::vector<std::string>{"ndots:2"});
  auto merged = pod_dns(pod("{dnsConfig: {options: [{name: ndots, value: \"1\"}, {name: edns0}]}}"), config, host);
  CHECK(merged.options == std::vector<std::string>{"ndots:1", "edns0"});
}

TEST_CASE("the pod's own /etc/hosts") {
  Config config;
  auto pod = yaml("metadata: {name: web-0, namespace: ns}\nspec: {subdomain: web, hostAliases: [{ip: 192.0.2.9, hostnames: [a, b.c]}]}");
  auto text = hosts_file(pod, {"10.0.0.7"}, config, "");
  CHECK(text.starts_with("# Kubernetes-managed hosts file.\n"));
  CHECK(text.find("10.0.0.7\tweb-0.web.ns.svc.cluster.local\tweb-0\n") != std::string::npos);
  CHECK(text.find("192.0.2.9\ta\tb.c\n") != std::string::npos);
}

TEST_CASE("security contexts: the container's word before the pod's, and runAsNonRoot is kept") {
  auto pod = yaml("spec: {securityContext: {runAsUser: 1000, fsGroup: 2000, supplementalGroups: [5]}, containers: []}");
  auto c = yaml("securityContext: {runAsGroup: 7, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}");
  auto s = container_security(pod, c, "");
  REQUIRE(s.ok());
  CHECK((*s)["user"].as_text() == "1000:7");
  CHECK((*s)["no_new_privileges"].as_bool());
  CHECK((*s)["groups"].items().size() == 2);
  auto strict = yaml("spec: {securityContext: {runAsNonRoot: true}}");
  CHECK_FALSE(container_security(strict, json::Value::object(), "").ok());
  CHECK_FALSE(container_security(strict, json::Value::object(), "www").ok());
  CHECK(container_security(strict, json::Value::object(), "33").ok());
}

TEST_CASE("volume mounts: subPathExpr is expanded and cannot leave its volume") {
  auto pod = yaml("spec: {volumes: [{name: v, emptyDir: {}}]}");
  std::map<std::string, std::string> volumes{{"v", "/data/v"}};
  auto mount = [&](const char* text) { return plan_mounts(pod, yaml(std::string("volumeMounts: [") + text + "]"), volumes, {{"POD", "p1"}}); };
  auto m = mount("{name: v, mountPath: logs, subPathExpr: a/$(POD)}");
  REQUIRE(m.ok());
  CHECK(m->front().sub_path == "a/p1");
  CHECK(m->front().target == "/logs");
  CHECK_FALSE(mount("{name: v, mountPath: /x, subPathExpr: $(NONE)}").ok());
  CHECK_FALSE(mount("{name: v, mountPath: /x, subPath: a/../../etc}").ok());
  CHECK_FALSE(mount("{name: w, mountPath: /x}").ok());
}

TEST_CASE("the contents of volumes") {
  auto pod = yaml(R"(
metadata: {name: p, namespace: ns, labels: {a: b}}
spec:
  volumes:
  - {name: c, configMap: {name: settings, defaultMode: 256, items: [{key: color, path: x/color}]}}
  - {name: d, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
  - name: t
    projected: {sources: [{serviceAccountToken: {path: token, expirationSeconds: 3607}}, {secret: {name: login}}]}
)");
  PodDirs dirs{"/d", "/l"};
  auto refs = env_refs();
  Tokens tokens;
  auto missing = plan_volumes({pod, dirs, refs, tokens, {}});
  CHECK(missing.status().reason == Reason::kServiceUnavailable);
  auto keys = tokens_of(pod);
  REQUIRE(keys.size() == 1);
  tokens[keys[0]] = "jwt";
  auto plans = plan_volumes({pod, dirs, refs, tokens, {}});
  REQUIRE(plans.ok());
  CHECK((*plans)[0].payload.at("x/color").bytes == "red");
  CHECK((*plans)[0].payload.at("x/color").mode == 0400);
  CHECK((*plans)[1].payload.at("labels").bytes == "a=\"b\"");
  CHECK((*plans)[2].payload.at("token").bytes == "jwt");
  CHECK((*plans)[2].payload.at("password").bytes == "hunter2");
  CHECK((*plans)[2].secret);
  CHECK(volume_paths(pod, dirs).at("c") == (*plans)[0].path);
}

TEST_CASE("tokens are renewed after four fifths of their life, or a day") {
  WallTime t{};
  CHECK(token_renewal(t, t + std::chrono::hours(1)) == t + std::chrono::minutes(48));
  CHECK(token_renewal(t, t + std::chrono::hours(24 * 365)) == t + std::chrono::hours(24));
}

TEST_CASE("image names and the credentials that fit them") {
  CHECK(*normal_image("nginx") == "docker.io/library/nginx:latest");
  CHECK(*normal_image("localhost/a/b:1") == "localhost/a/b:1");
  CHECK(*normal_image("r.example:5000/x@sha256:00") == "r.example:5000/x@sha256:00");
  CHECK_FALSE(normal_image("Bad Name").ok());
  CHECK_FALSE(normal_image("a//b").ok());
  auto config = base64(R"({"auths":{"*.example.org":{"username":"u","password":"p"},"r.example.org/team":{"auth":"dGVhbTpzZWNyZXQ="}}})");
  auto secret = object("kind: Secret\nmetadata: {name: s, namespace: n}\ndata: {.dockerconfigjson: " + config + "}");
  auto auth = image_credentials("r.example.org/team/app:1", {secret});
  REQUIRE(auth.size() == 2);
  CHECK(auth[0]["username"].as_text() == "team");
  CHECK(auth[0]["password"].as_text() == "secret");
  CHECK(image_credentials("nginx", {secret}).empty());
}

TEST_CASE("the node's last word on a pod") {
  std::map<std::string, std::string> allocatable{{"cpu", "2"}, {"memory", "1Gi"}};
  auto pod = yaml("spec: {nodeSelector: {disk: ssd}, containers: [{name: a, ports: [{hostPort: 80}], resources: {requests: {cpu: 1500m}}}]}");
  auto node = yaml("metadata: {name: n, labels: {disk: ssd}}");
  std::vector<const PodClaims*> none;
  CHECK_FALSE(admit_pod({pod, none, node, allocatable, 10}));
  CHECK(admit_pod({pod, none, yaml("metadata: {name: n}"), allocatable, 10})->reason == "NodeAffinity");
  auto other = claims_of(yaml("spec: {containers: [{name: a, resources: {requests: {cpu: 600m}}}]}"));
  std::vector<const PodClaims*> others{&other};
  CHECK(admit_pod({pod, others, node, allocatable, 10})->reason == "OutOfcpu");
  CHECK(admit_pod({pod, others, node, allocatable, 1})->reason == "OutOfpods");
  other = claims_of(yaml("spec: {containers: [{name: a, ports: [{hostPort: 80, hostIP: 127.0.0.1}]}]}"));
  CHECK(admit_pod({pod, others, node, allocatable, 10})->reason == "NodePorts");
}

TEST_CASE("node status: only what differs is sent") {
  Config config;
  config.node_name = "n1";
  config.node_ips = {"192.0.2.1"};
  NodeState state;
  state.facts.arch = "amd64";
  state.runtime = Status();
  state.capacity = state.allocatable = {{"cpu", "2"}};
  auto node = make_node(config, state);
  CHECK(node["metadata"]["labels"]["kubernetes.io/arch"].str() == "amd64");
  WallTime now(std::chrono::seconds(1767225600));
  auto first = node_status_patch(config, state, node, now, false);
  REQUIRE(first.is_object());
  node["status"].set("conditions", first["status"]["conditions"]);
  CHECK(node_status_patch(config, state, node, now + std::chrono::hours(1), false).is_null());
  CHECK(node_status_patch(config, state, node, now, true).is_object());
  state.network = Status(Reason::kServiceUnavailable, "no CNI configuration");
  auto patch = node_status_patch(config, state, node, now, false);
  bool not_ready = false;
  for (const auto& c : patch["status"]["conditions"].items()) not_ready = not_ready || (c["type"].str() == "Ready" && c["status"].str() == "False");
  CHECK(not_ready);
}

TEST_CASE("the status patch has what changed and replaces lists that are merged by key") {
  auto pod = yaml("metadata: {uid: u}\nstatus: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}");
  auto same = yaml("{phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}");
  CHECK(status_patch(pod, same).is_null());
  auto moved = yaml("{phase: Running, podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}]}");
  auto patch = status_patch(pod, moved);
  CHECK_FALSE(patch["status"].has("phase"));
  CHECK(patch["status"]["podIPs"].at(1)["$patch"].str() == "replace");
  CHECK(patch["metadata"]["uid"].str() == "u");
}
