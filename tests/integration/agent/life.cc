// Real containers: run.py gives the places by environment variables.
#include <filesystem>

#include "core/agent/agent.h"
#include "core/agent/runtime_plugin.h"
#include "core/api/client.h"
#include "core/base/file.h"
#include "core/plugin/host.h"
#include "core/plugin/plugins.h"
#include "tests/unit/agent/fake_api.h"

using namespace lotse;
using namespace lotse::agent;
using namespace std::chrono_literals;

namespace {

std::string place(const char* name) {
  const char* value = getenv(name);
  REQUIRE(value);
  return value;
}

struct House {
  WorkerPool pool{"t", 8, 256};
  LoopThread thread{"agent"};
  Loop& loop = thread.loop();
  FakeApi api;
  api::Client client{api, loop, nullptr, "test"};
  plugin::Plugins plugins{{place("LOTSE_PLUGINS")}};
  std::string dir = place("LOTSE_DIR");
  plugin::Host host{loop, pool, {dir + "/host", dir + "/host/run", "n1", nullptr}};
  std::unique_ptr<plugin::RuntimePlugin> runtime;
  std::unique_ptr<PluginRuntime> calls;
  std::unique_ptr<Agent> agent;

  House() {
    auto owned = plugins.create(host, "runtime", "containerd", MsgValue::map());
    INFO(owned.status().message);
    REQUIRE(owned.ok());
    runtime = std::make_unique<plugin::RuntimePlugin>(std::move(*owned));
    calls = std::make_unique<PluginRuntime>(*runtime, loop, pool);
    api.put("services", *json::parse_yaml("apiVersion: v1\nkind: Service\nmetadata: {name: kubernetes, namespace: default}\nspec: {clusterIP: 10.96.0.1, ports: [{port: 443}]}"));
  }
  void start() {
    Config config;
    config.node_name = "n1";
    config.node_ips = {"192.0.2.10"};
    config.data_dir = dir + "/data";
    config.image_dir = place("LOTSE_IMAGES");
    config.pod_log_dir = dir + "/logs";
    config.container_log_dir = "";
    config.cgroup_root = place("LOTSE_CGROUP");
    config.checkpoint_key = "key";
    config.pause_image = place("LOTSE_PAUSE");
    config.cni_dir = place("LOTSE_CNI");
    config.pressure.memory_available_bytes = 0;
    config.pressure.disk_available_percent = config.pressure.inodes_free_percent = 0;
    on_loop([&] {
      agent = std::make_unique<Agent>(config, client, *calls, loop, pool);
      agent->start();
      agent->set_network(Status());
    });
  }
  void on_loop(std::function<void()> fn) {
    std::mutex m;
    std::condition_variable cv;
    bool done = false;
    loop.post([&] {
      fn();
      std::lock_guard lock(m);
      done = true;
      cv.notify_one();
    });
    std::unique_lock lock(m);
    cv.wait(lock, [&] { return done; });
  }
  ~House() {
    on_loop([&] { agent.reset(); });
  }
  bool until(const std::function<bool()>& done) {
    for (int i = 0; i < 1200; ++i) {
      if (done()) return true;
      std::this_thread::sleep_for(50ms);
    }
    return false;
  }
  json::Value pod() { return api.get("pods", "default", "web"); }
  std::string show() {
    const json::Value v = pod();
    return json::write(v["status"]);
  }
  // A member of the first container's status.
  json::Value container() {
    const json::Value v = pod();
    return v["status"]["containerStatuses"].at(0);
  }
};

}  // namespace

TEST_CASE("a pod in containerd: runs with its volumes, logs, survives the agent, restarts, goes") {
  House h;
  h.api.put("configmaps", *json::parse_yaml("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: default}\ndata: {color: red}"));
  auto pod = *json::parse_yaml(R"(
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default, uid: 11111111-2222-3333-4444-555555555555}
spec:
  nodeName: n1
  terminationGracePeriodSeconds: 2
  containers:
  - name: app
    image: IMAGE
    imagePullPolicy: IfNotPresent
    command: [sh, -c, "echo up with $(cat /etc/app/color); trap 'exit 0' TERM; while true; do sleep 1; done"]
    env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
    volumeMounts: [{name: v, mountPath: /etc/app}, {name: m, mountPath: /mem}]
    readinessProbe: {exec: {command: [cat, /etc/app/color]}, periodSeconds: 1}
    resources: {limits: {memory: 64Mi}}
  volumes: [{name: v, configMap: {name: settings}}, {name: m, emptyDir: {medium: Memory, sizeLimit: 1Mi}}]
)");
  pod["spec"]["containers"].array_items()[0].set("image", place("LOTSE_IMAGE"));
  h.api.put("pods", pod);
  h.start();
  bool ready = h.until([&] { return std::as_const(static_cast<const json::Value&>(h.container()))["ready"].boolean(); });
  INFO(h.show());
  REQUIRE(ready);
  const json::Value before = h.container();
  std::string log = h.dir + "/logs/default_web_11111111-2222-3333-4444-555555555555/app/0.log";
  REQUIRE(h.until([&] {
    auto text = read_file(log);
    return text.ok() && text->find("up with red") != std::string::npos;
  }));

  h.on_loop([&] { h.agent.reset(); });  // as if killed
  h.start();
  std::this_thread::sleep_for(1s);
  const json::Value after = h.container();
  CHECK(after["containerID"].str() == before["containerID"].str());
  CHECK(after["restartCount"].integer() == 0);

  h.api.mark_deleted("default", "web", 2);
  bool gone = h.until([&] { return h.pod().is_null(); });
  INFO(h.show());
  REQUIRE(gone);
  CHECK_FALSE(std::filesystem::exists(h.dir + "/data/pods/11111111-2222-3333-4444-555555555555"));
  CHECK(h.until([&] { return !std::filesystem::exists(log); }));
}
