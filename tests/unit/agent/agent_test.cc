// A whole agent against an API in memory and a runtime of records.
#include <sys/stat.h>

#include <filesystem>

#include "core/agent/agent.h"
#include "core/agent/checkpoint.h"
#include "core/agent/images.h"
#include "core/agent/node_facts.h"
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
  // The clock of the story goes on by 3000 steps; a busy machine's disk may need longer than that.
  bool until(const std::function<bool()>& done, Duration step = 10ms) {
    const auto end = std::chrono::steady_clock::now() + 10s;
    for (int i = 0; i < 3000 || (step >= 10ms && std::chrono::steady_clock::now() < end); ++i) {
      loop.run();
      if (api.log.size() > 2000) FAIL("the agent talks too much: " << api.log.back());
      if (done()) return true;
      std::this_thread::sleep_for(200us);
      if (i < 3000) loop.advance(step);
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

TEST_CASE("a token is fetched anew before it ends, and its file follows") {
  House h;
  h.api.token_expires = "2026-01-01T00:10:00Z";  // ten minutes after the clock's beginning
  h.put_pod("containers: [{name: app, image: \"web:1\", imagePullPolicy: Never, volumeMounts: [{name: t, mountPath: /t}]}], "
            "volumes: [{name: t, projected: {sources: [{serviceAccountToken: {path: token, expirationSeconds: 600}}]}}]");
  h.config.hollow = false;
  h.start();
  auto file = h.dir + "/pods/uid-web/volumes/projected/t/token";
  bool mounted = h.until([&] { return fs::exists(file); });
  if (!mounted && getuid() != 0) return;  // secrets lie in a tmpfs, which only root can mount
  REQUIRE(mounted);
  CHECK(*read_file(file) == "jwt-1");
  auto asked = [&] { return std::count(h.api.log.begin(), h.api.log.end(), "create serviceaccounts/token"); };
  CHECK(asked() == 1);
  for (int i = 0; i < 45; ++i) h.loop.advance(10s);
  CHECK(asked() == 1);
  h.api.token_expires = "2026-01-01T10:00:00Z";
  for (int i = 0; i < 6; ++i) h.loop.advance(10s);
  CHECK(asked() == 2);
  CHECK(h.until([&] { return *read_file(file) == "jwt-2"; }, 1ms));
  h.api.mark_deleted("default", "web", 0);
  REQUIRE(h.until([&] { return h.pod().is_null() && !fs::exists(h.dir + "/pods/uid-web"); }));
}

TEST_CASE("a container's id begins with its runtime's name") {
  House h;
  h.runtime.name = "hollow";
  h.put_pod(kWeb);
  h.start();
  REQUIRE(h.until([&] { return h.phase() == "Running"; }));
  const json::Value p = h.pod();
  CHECK(p["status"]["containerStatuses"].at(0)["containerID"].str() == "hollow://app-0");
}

TEST_CASE("a status says what the containers were given") {
  House h;
  h.put_pod("containers: [{name: app, image: \"web:1\", imagePullPolicy: Never, resources: {requests: {cpu: 10m}, limits: {memory: 1Mi}}, "
            "volumeMounts: [{name: v, mountPath: /v, readOnly: true}]}], volumes: [{name: v, emptyDir: {}}]");
  h.start();
  REQUIRE(h.until([&] { return h.phase() == "Running"; }));
  const json::Value p = h.pod();
  const auto& c = p["status"]["containerStatuses"].at(0);
  CHECK(c["resources"]["limits"]["memory"].str() == "1Mi");
  CHECK(c["allocatedResources"]["cpu"].str() == "10m");
  CHECK(c["volumeMounts"].at(0)["mountPath"].str() == "/v");
  CHECK(c["volumeMounts"].at(0)["recursiveReadOnly"].str() == "Disabled");
}

TEST_CASE("under pressure pods go one at a time, newcomers are refused, and the condition lasts a while") {
  House h;
  std::atomic<int64_t> memory{1000};
  h.config.pressure.memory_available_bytes = 100;
  h.config.pressure.transition_period = 60s;
  h.config.read_pressure = [&] {
    NodePressure p;
    p.memory_available = memory;
    return p;
  };
  auto spec = [](const char* name, int priority) {
    return "priority: " + std::to_string(priority) + ", containers: [{name: " + name + ", image: \"web:1\", imagePullPolicy: Never}]";
  };
  h.put_pod(spec("low", 0), "low");
  h.put_pod(spec("high", 7), "high");
  h.start();
  REQUIRE(h.until([&] { return h.phase("low") == "Running" && h.phase("high") == "Running"; }));
  h.runtime.stats["low-0"] = MsgValue::map({{"memory_bytes", 10}});
  h.runtime.stats["high-0"] = MsgValue::map({{"memory_bytes", 500}});
  auto condition = [&] {
    const json::Value node = h.api.get("nodes", "", "n1");
    for (const auto& c : node["status"]["conditions"].items()) {
      if (c["type"].str() == "MemoryPressure") return std::string(c["status"].str());
    }
    return std::string();
  };
  CHECK(condition() == "False");
  memory = 50;
  REQUIRE(h.until([&] { return h.phase("low") == "Failed"; }, 100ms));
  CHECK(h.phase("high") == "Running");  // the next one only after another look
  memory = 1000;
  REQUIRE(h.until([&] { return condition() == "True"; }));
  h.put_pod(spec("late", 0), "late");
  REQUIRE(h.until([&] { return h.phase("late") == "Failed"; }));
  const json::Value late = h.pod("late"), low = h.pod("low");
  CHECK(late["status"]["reason"].str() == "Evicted");
  CHECK(low["status"]["message"].str() == "The node was low on resource: memory. Threshold quantity: 100, available: 50. "
                                          "Container low was using 10, request is 0, has larger consumption of memory. ");
  for (int i = 0; i < 5; ++i) h.until([] { return false; }, 4ms);
  REQUIRE(h.until([&] { return condition() == "False"; }, 100ms));
  CHECK(h.phase("high") == "Running");
}

TEST_CASE("unused images go, the longest unused first, until enough is free; some never do") {
  VirtualLoop loop;
  WorkerPool pool("t", 1, 8);
  FakeRuntime runtime(loop);
  Config config;
  config.pause_image = "pause:1";
  config.images.age_min = 60s;
  Images images(config, runtime, loop, pool);
  auto image = [](const char* id, const char* name, int64_t bytes, bool pinned = false) {
    return MsgValue::map({{"id", id}, {"names", MsgValue::strings({name})}, {"bytes", bytes}, {"pinned", pinned}});
  };
  runtime.image_list = {image("a", "a:1", 100), image("b", "b:1", 100), image("p", "pause:1", 1), image("k", "kept:1", 100, true), image("u", "used:1", 100)};
  runtime.containers["c"] = {"s", "c", "running", 0, 0, 0, 0, MsgValue::map({{"image", "u"}})};
  auto collect = [&](int used, int target) {
    int removed = -1;
    images.collect(used, target, [&](int n) { removed = n; });
    loop.run();
    return removed;
  };
  CHECK(collect(90, 0) == 0);  // seen for the first time: nobody knows for how long they have been unused
  loop.advance(30s);
  CHECK(collect(90, 0) == 0);
  loop.advance(31s);
  CHECK(collect(90, 89) == 1);  // one is enough: 1000 bytes of images, and a ninetieth of it to go
  CHECK(runtime.log == std::vector<std::string>{"image_remove a"});
  CHECK(collect(80, 85) == 0);
  CHECK(collect(90, 0) == 1);
  CHECK(runtime.log.back() == "image_remove b");
  runtime.containers.clear();
  CHECK(collect(90, 0) == 0);  // in use until just now
  loop.advance(61s);
  CHECK(collect(90, 0) == 1);
  CHECK(runtime.image_list.size() == 2);
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
