// A whole agent against an API in memory and a runtime of records.
#include <sys/stat.h>

#include <filesystem>

#include "core/agent/agent.h"
#include "core/agent/checkpoint.h"
#include "core/api/client.h"
#include "core/base/file.h"
#include "tests/unit/agent/fake_api.h"
#include "tests/unit/agent/fake_runtime.h"
#include "tests/unit/agent/story.h"

using namespace lotse;
using namespace lotse::agent;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct House {
  std::string dir = (fs::temp_directory_path() / "lotse-agent-XXXXXX").string();
  VirtualLoop loop;
  std::unique_ptr<WorkerPool> pool = std::make_unique<WorkerPool>("t", 2, 64);
  FakeApi api;
  api::Client client{api, loop, nullptr, "test"};
  FakeRuntime runtime{loop};
  Config config;
  std::unique_ptr<Agent> agent;

  House() {
    REQUIRE(mkdtemp(dir.data()));
    config.node_name = "n1";
    config.node_ips = {"192.0.2.10"};
    config.data_dir = dir;
    config.pod_log_dir = dir + "/logs";
    config.container_log_dir = dir + "/links";
    config.cgroup_root = "";
    config.checkpoint_key = "secret";
    config.pause_image = "pause";
    config.capacity = {{"cpu", "2"}, {"memory", "1Gi"}};
    config.pressure.memory_available_bytes = 0;
    config.pressure.disk_available_percent = config.pressure.inodes_free_percent = 0;
    config.images.gc_high_percent = 101;
    runtime.images["web:1"] = "sha256:web";
    api.put("services", yaml("apiVersion: v1\nkind: Service\nmetadata: {name: kubernetes, namespace: default}\nspec: {clusterIP: 10.96.0.1, ports: [{name: https, port: 443, protocol: TCP}]}"));
  }
  ~House() {
    agent.reset();
    loop.run();
    pool.reset();  // what is still being written is written
    fs::remove_all(dir);
  }
  void start() {
    agent = std::make_unique<Agent>(config, client, runtime, loop, *pool);
    agent->start();
  }
  // kill -9: nothing is told to anybody.
  void restart() {
    agent.reset();
    loop.run();
    start();
  }
  bool until(const std::function<bool()>& done, Duration step = 10ms) {
    for (int i = 0; i < 3000; ++i) {
      loop.run();
      if (api.log.size() > 2000) FAIL("the agent talks too much: " << api.log.back());
      if (done()) return true;
      std::this_thread::sleep_for(200us);
      loop.advance(step);
    }
    return false;
  }
  json::Value pod(const char* name = "web") { return api.get("pods", "default", name); }
  std::string phase(const char* name = "web") { return std::string(std::as_const(static_cast<const json::Value&>(pod(name)))["status"]["phase"].str()); }
  bool did(const std::string& what) { return std::find(runtime.log.begin(), runtime.log.end(), what) != runtime.log.end(); }
  void put_pod(std::string spec, const char* name = "web") {
    api.put("pods", yaml("apiVersion: v1\nkind: Pod\nmetadata: {name: " + std::string(name) + ", namespace: default, uid: uid-" + name +
                         "}\nspec: {nodeName: n1, " + spec + "}"));
  }
};

const char* kWeb = "containers: [{name: app, image: \"web:1\", imagePullPolicy: IfNotPresent}]";

}  // namespace

TEST_CASE("an agent registers its node, runs a pod, and takes it away when it is deleted") {
  House h;
  h.put_pod(kWeb);
  h.start();
  REQUIRE(h.until([&] { return h.phase() == "Running"; }));
  const json::Value node = h.api.get("nodes", "", "n1");
  CHECK(node["status"]["capacity"]["cpu"].str() == "2");
  CHECK(node["status"]["nodeInfo"]["containerRuntimeVersion"].str() == "fake://1");
  const json::Value pod = h.pod();
  CHECK(pod["status"]["podIP"].str() == "10.244.0.1");
  CHECK(pod["status"]["containerStatuses"].at(0)["ready"].boolean());
  CHECK(fs::exists(h.dir + "/pods/uid-web/etc-hosts"));
  const auto& request = h.runtime.containers.at("app-0").request;
  bool linked = false;
  for (const auto& e : request["env"].items()) linked = linked || e.items()[0].as_text() == "KUBERNETES_SERVICE_HOST";
  CHECK(linked);
  auto reasons = h.api.event_reasons();
  for (const char* want : {"Pulled", "Created", "Started"}) CHECK(std::count(reasons.begin(), reasons.end(), want) == 1);

  h.api.mark_deleted("default", "web", 5);
  REQUIRE(h.until([&] { return h.pod().is_null(); }));
  CHECK(h.did("container_stop app-0 5"));
  REQUIRE(h.until([&] { return h.runtime.sandboxes.empty() && h.runtime.containers.empty(); }));
  CHECK_FALSE(fs::exists(h.dir + "/pods/uid-web"));
  CHECK(h.until([&] { return !fs::exists(h.dir + "/logs/default_web_uid-web"); }));
}

TEST_CASE("a container that ends by itself is restarted and counted") {
  House h;
  h.put_pod(kWeb);
  h.start();
  REQUIRE(h.until([&] { return h.phase() == "Running"; }));
  h.runtime.exit("app", 1);
  REQUIRE(h.until([&] {
    const json::Value p = h.pod();
    return p["status"]["containerStatuses"].at(0)["restartCount"].integer() == 1;
  }));
  h.runtime.exit("app", 1);
  REQUIRE(h.until([&] {
    const json::Value p = h.pod();
    return p["status"]["containerStatuses"].at(0)["state"]["waiting"]["reason"].str() == "CrashLoopBackOff";
  }));
}

TEST_CASE("an agent that was killed finds its containers again, also without a master") {
  House h;
  h.put_pod(kWeb);
  h.start();
  REQUIRE(h.until([&] { return h.phase() == "Running"; }));
  REQUIRE(h.until([&] { return fs::exists(h.dir + "/agent/checkpoint-pods") && fs::exists(h.dir + "/agent/checkpoint-services"); }));
  h.loop.advance(2s);
  h.until([] { return false; }, 1ms);
  auto runs = std::count(h.runtime.log.begin(), h.runtime.log.end(), "sandbox_run");
  SECTION("the master answers") {
    h.restart();
    REQUIRE(h.until([&] { return h.api.log.back() == "patch nodes/n1 status"; }));
    h.loop.advance(2s);
  }
  SECTION("nobody answers: a container that dies is started again") {
    h.api.down = true;
    h.restart();
    h.until([] { return false; }, 1ms);
    h.runtime.exit("app", 1);
    REQUIRE(h.until([&] { return h.runtime.containers.contains("app-1") && h.runtime.containers["app-1"].state == "running"; }));
    h.api.down = false;
    REQUIRE(h.until([&] {
      const json::Value p = h.pod();
      return p["status"]["containerStatuses"].at(0)["restartCount"].integer() == 1;
    }, 100ms));
  }
  SECTION("the pod was deleted meanwhile") {
    h.agent.reset();
    h.api.erase("pods", "default", "web");
    h.start();
    REQUIRE(h.until([&] { return h.runtime.sandboxes.empty(); }));
  }
  CHECK(std::count(h.runtime.log.begin(), h.runtime.log.end(), "sandbox_run") == runs);
}

TEST_CASE("a ConfigMap that comes late starts the container, and its changes reach the files") {
  House h;
  h.put_pod("containers: [{name: app, image: \"web:1\", imagePullPolicy: Never, volumeMounts: [{name: v, mountPath: /etc/app}]}], volumes: [{name: v, configMap: {name: settings}}]");
  h.start();
  REQUIRE(h.until([&] {
    auto r = h.api.event_reasons();
    return std::count(r.begin(), r.end(), "FailedMount") > 0;
  }));
  h.api.put("configmaps", yaml("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: default}\ndata: {color: red}"));
  REQUIRE(h.until([&] { return h.phase() == "Running"; }));
  auto file = h.dir + "/pods/uid-web/volumes/config-map/v/color";
  CHECK(*read_file(file) == "red");
  auto mounts = h.runtime.containers.at("app-0").request["mounts"];
  CHECK(mounts.items().front()["source"].as_text() == h.dir + "/pods/uid-web/volumes/config-map/v");
  h.api.put("configmaps", yaml("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: default}\ndata: {color: blue}"));
  REQUIRE(h.until([&] { return *read_file(file) == "blue"; }));
  h.api.erase("configmaps", "default", "settings");
  h.until([] { return false; }, 1ms);
  CHECK(*read_file(file) == "blue");
}

TEST_CASE("a pod that does not fit is rejected by the node") {
  House h;
  h.put_pod("containers: [{name: app, image: \"web:1\", resources: {requests: {cpu: 5}}}]");
  h.start();
  REQUIRE(h.until([&] { return h.phase() == "Failed"; }));
  const json::Value p = h.pod();
  CHECK(p["status"]["reason"].str() == "OutOfcpu");
  CHECK(h.runtime.sandboxes.empty());
}

TEST_CASE("an image that is not there and may not be pulled") {
  House h;
  h.put_pod("containers: [{name: app, image: \"other:1\", imagePullPolicy: Never}]");
  h.start();
  REQUIRE(h.until([&] {
    const json::Value p = h.pod();
    return p["status"]["containerStatuses"].at(0)["state"]["waiting"]["reason"].str() == "ErrImageNeverPull";
  }));
}

TEST_CASE("a lost watch is taken up again and nothing is missed") {
  House h;
  h.put_pod(kWeb);
  h.start();
  REQUIRE(h.until([&] { return h.phase() == "Running"; }));
  h.api.break_watches();
  h.put_pod(kWeb, "second");
  h.api.erase("pods", "default", "web");
  // The watch goes on from where it was; this API has no history, so the change comes with the next one of each.
  h.loop.advance(1s);
  h.loop.run();
  h.put_pod("containers: [{name: app, image: \"web:1\", imagePullPolicy: IfNotPresent}], priority: 1", "second");
  REQUIRE(h.until([&] { return h.phase("second") == "Running"; }));
}

TEST_CASE("the master's calls") {
  House h;
  h.put_pod(kWeb);
  h.start();
  REQUIRE(h.until([&] { return h.phase() == "Running"; }));
  struct Sink : StreamSink {
    std::string text, result;
    std::optional<Status> end;
    void on_item(uint32_t channel, Bytes item) override {
      if (channel != 1 || text.empty()) text += item.view();
    }
    void on_end(Status s, Bytes r) override {
      end = s;
      result = r.view();
    }
  };
  auto sink = std::make_shared<Sink>();
  auto call = [&](const char* kind, MsgValue a) {
    a.set("uid", "uid-web");
    a.set("name", "web");
    a.set("container", "app");
    return h.agent->open(kind, a.encode(), sink);
  };
  SECTION("exec") {
    auto s = call("exec", MsgValue::map({{"command", MsgValue::array({"x"})}, {"stdout", true}}));
    REQUIRE(s.ok());
    h.loop.run();
    CHECK(sink->text == "hello");
    REQUIRE(sink->end);
    CHECK((*MsgValue::parse(sink->result))["exit_code"].as_int() == 3);
  }
  SECTION("logs of a container that is not there") {
    auto a = MsgValue::map({{"uid", "uid-web"}, {"container", "nope"}});
    auto s = h.agent->open("logs", a.encode(), sink);
    REQUIRE(s.ok());
    h.loop.run();
    REQUIRE(sink->end);
    CHECK(sink->end->reason == Reason::kBadRequest);
  }
  SECTION("logs") {
    REQUIRE(write_file_atomically(h.dir + "/logs/default_web_uid-web/app/0.log", "2026-01-02T03:04:05Z stdout F hi\n").ok());
    auto s = call("logs", MsgValue::map());
    REQUIRE(s.ok());
    (*s)->grant(1000);
    REQUIRE(h.until([&] { return sink->end.has_value(); }));
    CHECK(sink->end->ok());
    CHECK(sink->text == "\x80hi\n");
  }
  SECTION("previous logs when there are none") {
    auto s = call("logs", MsgValue::map({{"previous", true}}));
    REQUIRE(s.ok());
    h.loop.run();
    CHECK(sink->end->reason == Reason::kBadRequest);
  }
  SECTION("a pod that is not ours") {
    auto s = h.agent->open("exec", MsgValue::map({{"uid", "x"}, {"name", "x"}}).encode(), sink);
    REQUIRE(s.ok());
    h.loop.run();
    CHECK(sink->end->reason == Reason::kNotFound);
  }
  SECTION("stats") {
    auto s = h.agent->open("stats", MsgValue::map().encode(), sink);
    REQUIRE(s.ok());
    REQUIRE(h.until([&] { return sink->end.has_value(); }));
    CHECK(sink->end->ok());
    auto v = json::parse(sink->text);
    REQUIRE(v.ok());
    const json::Value summary = *v;
    CHECK(summary["pods"].size() == 1);
  }
  SECTION("a call that does not exist") { CHECK_FALSE(h.agent->open("dance", MsgValue::map().encode(), sink).ok()); }
  SECTION("rubbish") { CHECK_FALSE(h.agent->open("exec", "\xff\xff", sink).ok()); }
}

TEST_CASE("a hollow agent runs pods without files") {
  House h;
  h.config.hollow = true;
  h.config.capacity = {{"cpu", "32"}, {"pods", "110"}};
  h.put_pod("containers: [{name: app, image: \"web:1\", imagePullPolicy: IfNotPresent, readinessProbe: {tcpSocket: {port: 1}}}], volumes: [{name: v, configMap: {name: none}}]");
  h.start();
  REQUIRE(h.until([&] {
    const json::Value p = h.pod();
    return p["status"]["phase"].str() == "Running" && p["status"]["containerStatuses"].at(0)["ready"].boolean();
  }));
  CHECK_FALSE(fs::exists(h.dir + "/pods"));
  h.api.mark_deleted("default", "web", 0);
  REQUIRE(h.until([&] { return h.pod().is_null() && h.runtime.sandboxes.empty(); }));
}
