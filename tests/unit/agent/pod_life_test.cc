#include "tests/unit/agent/story.h"

using namespace lotse;
using namespace lotse::agent;
using namespace std::chrono_literals;

namespace {

const char* kOne = R"(
metadata: {name: web, namespace: default, uid: u1, generation: 1}
spec: {containers: [{name: app, image: "web:1"}]}
)";

}  // namespace

TEST_CASE("a pod gets volumes and a sandbox at once, then its container") {
  Story s(kOne);
  CHECK(s.actions().empty());  // nobody has admitted it yet
  s.tell(Input::Kind::kAdmitted);
  CHECK(s.actions() == std::vector<std::string>{"PrepareVolumes", "RunSandbox"});
  s.tell(Input::Kind::kVolumesReady);
  CHECK(s.actions().empty());
  s.up_to_containers();
  CHECK(s.did("EnsureImage:app"));
  s.image("app");
  CHECK(s.did("Start:app:0"));
  s.observe("app", Observation::Phase::kCreated);
  CHECK(s.did("Event:Created"));
  CHECK(s.status()["phase"].str() == "Pending");
  // The runtime's second word about the same attempt.
  Input in;
  in.kind = Input::Kind::kObserved;
  in.container = 0;
  in.seen.phase = Observation::Phase::kRunning;
  in.seen.id = "app-0";
  in.seen.started = s.now.wall;
  s.tell(in);
  CHECK(s.did("Event:Started"));
  CHECK(s.did("StartProbes:app"));
  CHECK(s.status()["phase"].str() == "Running");
  CHECK(s.condition("Ready") == "True");
  CHECK(s.status()["podIP"].str() == "10.244.1.5");
  CHECK(s.container("app")["containerID"].str() == "containerd://app-0");
}

TEST_CASE("a container that crashes is started at once, then after 10, 20, 40 seconds, up to five minutes") {
  Story s(kOne);
  s.up_to_containers();
  s.run("app");
  std::vector<int64_t> waits;
  for (int i = 0; i < 8; ++i) {
    s.exit("app", 1);
    if (s.out.wake) {
      CHECK(s.container("app")["state"]["waiting"]["reason"].str() == "CrashLoopBackOff");
      CHECK(s.container("app")["lastState"]["terminated"]["exitCode"].integer() == 1);
      CHECK(s.did("Event:BackOff"));
      auto wait = *s.out.wake - s.now.steady;
      waits.push_back(wait / 1s);
      s.wait(wait - 1s);
      CHECK_FALSE(s.did("EnsureImage:app"));
      s.wait(1s);
    } else {
      waits.push_back(0);
    }
    CHECK(s.did("EnsureImage:app"));
    s.run("app");
    CHECK(s.container("app")["restartCount"].integer() == i + 1);
  }
  CHECK(waits == std::vector<int64_t>{0, 10, 20, 40, 80, 160, 300, 300});
  s.wait(11min);  // it has run long enough to be trusted again
  s.exit("app", 1);
  CHECK(s.did("EnsureImage:app"));
}

TEST_CASE("the dead container before the last one is removed") {
  Story s(kOne);
  s.up_to_containers();
  s.run("app");
  s.exit("app", 1);
  s.image("app");
  s.observe("app", Observation::Phase::kRunning);
  CHECK_FALSE(s.did("RemoveContainer"));
  s.exit("app", 1);
  s.wait(10s);
  s.image("app");
  s.observe("app", Observation::Phase::kRunning);
  CHECK(s.did("RemoveContainer"));
}

TEST_CASE("an end that is seen twice is one end") {
  Story s(kOne);
  s.up_to_containers();
  s.run("app");
  s.exit("app", 137);
  REQUIRE(s.did("EnsureImage:app"));
  s.exit("app", 137);  // seen again while its successor's image is looked for
  CHECK(s.actions().empty());
  s.image("app");
  REQUIRE(s.did("Start:app:1"));
  Input late;
  late.kind = Input::Kind::kObserved;
  late.container = 0;
  late.seen.id = "app-0";
  late.seen.name = "app";
  late.seen.phase = Observation::Phase::kExited;
  late.seen.exit_code = 137;
  s.tell(late);  // and once more while its successor is started
  CHECK(s.actions().empty());
  s.observe("app", Observation::Phase::kRunning);
  CHECK(s.container("app")["restartCount"].integer() == 1);
  CHECK(s.container("app")["state"].has("running"));
}

TEST_CASE("the reason of an end may come after it") {
  Story s(kOne);
  s.up_to_containers();
  s.run("app");
  s.exit("app", 137);
  s.exit("app", 137, "OOMKilled");
  CHECK(s.container("app")["lastState"]["terminated"]["reason"].str() == "OOMKilled");
  CHECK(s.actions().empty());
}

TEST_CASE("restart policies decide what becomes of a pod") {
  auto text = [](const char* policy) {
    return std::string("metadata: {name: job, namespace: default, uid: u1}\nspec: {restartPolicy: ") + policy + ", containers: [{name: app, image: a}]}";
  };
  SECTION("Never: the exit code is the phase") {
    Story s(text("Never"));
    s.up_to_containers();
    s.run("app");
    s.exit("app", 3, "OOMKilled");
    CHECK(s.did("StopSandbox"));
    CHECK(s.status()["phase"].str() == "Failed");
    CHECK(s.container("app")["state"]["terminated"]["reason"].str() == "OOMKilled");
    CHECK(s.condition("Ready") == "False PodFailed");
  }
  SECTION("OnFailure: success ends it") {
    Story s(text("OnFailure"));
    s.up_to_containers();
    s.run("app");
    s.exit("app", 1);
    CHECK(s.did("EnsureImage:app"));
    s.run("app");
    s.exit("app", 0);
    CHECK(s.status()["phase"].str() == "Succeeded");
    CHECK(s.condition("Initialized") == "True PodCompleted");
    s.tell(Input::Kind::kSandboxStopped);
    CHECK(s.did("CleanUp"));
    s.tell(Input::Kind::kCleaned);
    CHECK_FALSE(s.did("DeleteObject"));  // it stays until somebody deletes it
    s.remove(30);
    CHECK(s.did("DeleteObject"));
  }
}

TEST_CASE("init containers run one after the other, and a sidecar goes on") {
  Story s(R"(
metadata: {name: p, namespace: default, uid: u1}
spec:
  initContainers:
  - {name: first, image: a}
  - {name: proxy, image: b, restartPolicy: Always, startupProbe: {exec: {command: [ok]}}}
  - {name: second, image: c}
  containers: [{name: app, image: d}]
)");
  s.up_to_containers();
  CHECK(s.actions() == std::vector<std::string>{"EnsureImage:first"});
  CHECK(s.container("app")["state"]["waiting"]["reason"].str() == "PodInitializing");
  s.run("first");
  s.exit("first", 0);
  CHECK(s.did("EnsureImage:proxy"));
  s.run("proxy");
  CHECK_FALSE(s.did("EnsureImage:second"));  // not before its startup probe has succeeded
  Input probe;
  probe.kind = Input::Kind::kProbe;
  probe.container = s.state.spec->find("proxy");
  probe.probe = ProbeKind::kStartup;
  probe.ok = true;
  s.tell(probe);
  CHECK(s.did("EnsureImage:second"));
  CHECK(s.condition("Initialized") == "False ContainersNotInitialized");
  s.run("second");
  s.exit("second", 0);
  CHECK(s.did("EnsureImage:app"));
  s.run("app");
  CHECK(s.condition("Initialized") == "True");
  CHECK(s.condition("Ready") == "True");
  SECTION("the sidecar is restarted when it ends") {
    s.exit("proxy", 0);
    CHECK(s.did("EnsureImage:proxy"));
    CHECK(s.condition("Ready").substr(0, 5) == "False");
  }
  SECTION("and is stopped after the main container") {
    s.remove(30);
    CHECK(s.did("Kill:app:30"));
    CHECK_FALSE(s.did("Kill:proxy:30"));
    s.now.steady += 4s;
    s.exit("app", 143);
    CHECK(s.did("Kill:proxy:26"));
    s.exit("proxy", 143);
    CHECK(s.did("StopSandbox"));
  }
}

TEST_CASE("an init container that fails for good fails the pod") {
  Story s(R"(
metadata: {name: p, namespace: default, uid: u1}
spec: {restartPolicy: Never, initContainers: [{name: init, image: a}], containers: [{name: app, image: b}]}
)");
  s.up_to_containers();
  s.run("init");
  s.exit("init", 1);
  CHECK(s.status()["phase"].str() == "Failed");
  CHECK(s.did("StopSandbox"));
  CHECK_FALSE(s.did("EnsureImage:app"));
}

TEST_CASE("deletion: containers, sandbox, files, then the object, then the rest") {
  Story s(kOne);
  s.up_to_containers();
  s.run("app");
  s.remove(5);
  CHECK(s.actions() == std::vector<std::string>{"Event:Killing", "Kill:app:5"});
  s.remove(5);
  CHECK(s.actions().empty());  // already under way
  s.remove(2);
  CHECK(s.did("Kill:app:2"));  // somebody is in a hurry
  s.exit("app", 143);
  CHECK(s.did("StopSandbox"));
  s.tell(Input::Kind::kSandboxStopped);
  CHECK(s.did("CleanUp"));
  CHECK(s.status()["phase"].str() == "Failed");
  s.tell(Input::Kind::kCleaned);
  CHECK(s.did("DeleteObject"));
  s.tell(Input::Kind::kDeleteFailed);
  CHECK(s.did("DeleteObject"));
  s.tell(Input::Kind::kDeleted);
  CHECK(s.did("RemoveAll"));
  s.tell(Input::Kind::kRemoved);
  CHECK(s.state.finished());
}

TEST_CASE("a pod deleted while its container is being started is not left running") {
  Story s(kOne);
  s.up_to_containers();
  s.image("app");
  s.remove(30);
  CHECK_FALSE(s.did("StopSandbox"));  // first it has to be known what came of the start
  s.observe("app", Observation::Phase::kRunning);
  CHECK(s.did("Kill:app:30"));
}

TEST_CASE("a pod whose object vanished is taken down with its own grace") {
  Story s(kOne);
  s.up_to_containers();
  s.run("app");
  s.tell(Input::Kind::kGone);
  CHECK(s.did("Kill:app:30"));
}

TEST_CASE("images that cannot be had are tried again with growing delays") {
  Story s(kOne);
  s.up_to_containers();
  Input in;
  in.kind = Input::Kind::kImageFailed;
  in.container = 0;
  in.reason = "ErrImagePull";
  in.text = "no such host";
  s.tell(in);
  CHECK(s.container("app")["state"]["waiting"]["reason"].str() == "ErrImagePull");
  s.wait(2s);
  CHECK(s.container("app")["state"]["waiting"]["reason"].str() == "ImagePullBackOff");
  CHECK(s.did("Event:BackOff"));
  s.wait(7s);
  CHECK_FALSE(s.did("EnsureImage:app"));
  s.wait(1s);
  CHECK(s.did("EnsureImage:app"));
  s.tell(in);
  CHECK(*s.out.wake > s.now.steady);
  s.wait(19s);
  CHECK_FALSE(s.did("EnsureImage:app"));
  s.wait(1s);
  CHECK(s.did("EnsureImage:app"));
  CHECK(s.container("app")["restartCount"].integer() == 0);
}

TEST_CASE("liveness kills, readiness only speaks") {
  Story s(R"(
metadata: {name: p, namespace: default, uid: u1}
spec:
  terminationGracePeriodSeconds: 20
  containers:
  - name: app
    image: a
    readinessProbe: {tcpSocket: {port: 80}}
    livenessProbe: {tcpSocket: {port: 80}, terminationGracePeriodSeconds: 3}
)");
  s.up_to_containers();
  s.run("app");
  CHECK(s.condition("Ready") == "False ContainersNotReady");
  CHECK(s.container("app")["started"].boolean());
  Input probe;
  probe.kind = Input::Kind::kProbe;
  probe.container = 0;
  probe.ok = true;
  s.tell(probe);
  CHECK(s.condition("Ready") == "True");
  probe.ok = false;
  s.tell(probe);
  CHECK(s.condition("Ready") == "False ContainersNotReady");
  CHECK(s.actions().empty());
  probe.probe = ProbeKind::kLiveness;
  s.tell(probe);
  CHECK(s.actions() == std::vector<std::string>{"Event:Killing", "Kill:app:3"});
  s.tell(probe);
  CHECK(s.actions().empty());
  s.exit("app", 137);
  CHECK(s.did("EnsureImage:app"));
}

TEST_CASE("a postStart hook holds the container back; if it fails, the container goes") {
  Story s(R"(
metadata: {name: p, namespace: default, uid: u1}
spec: {containers: [{name: app, image: a, lifecycle: {postStart: {exec: {command: [hook]}}}}]}
)");
  s.up_to_containers();
  s.run("app");
  CHECK(s.status()["phase"].str() == "Pending");
  CHECK(s.container("app")["state"]["waiting"]["reason"].str() == "ContainerCreating");
  Input in;
  in.kind = Input::Kind::kHookDone;
  in.container = 0;
  SECTION("it succeeds") {
    in.ok = true;
    s.tell(in);
    CHECK(s.status()["phase"].str() == "Running");
    CHECK(s.did("StartProbes:app"));
  }
  SECTION("it fails") {
    s.tell(in);
    CHECK(s.did("Event:FailedPostStartHook"));
    CHECK(s.did("Kill:app:30"));
  }
}

TEST_CASE("activeDeadlineSeconds ends a pod that runs too long") {
  Story s("metadata: {name: p, namespace: d, uid: u1}\nspec: {activeDeadlineSeconds: 60, containers: [{name: app, image: a}]}");
  s.up_to_containers();
  s.run("app");
  REQUIRE(s.out.wake);
  s.wait(60s);
  CHECK(s.did("Kill:app:30"));
  CHECK(s.status()["phase"].str() == "Failed");
  CHECK(s.status()["reason"].str() == "DeadlineExceeded");
}

TEST_CASE("a sandbox that dies is replaced, and init containers run again") {
  Story s(R"(
metadata: {name: p, namespace: default, uid: u1}
spec: {initContainers: [{name: init, image: a}], containers: [{name: app, image: b}]}
)");
  s.up_to_containers();
  s.run("init");
  s.exit("init", 0);
  s.run("app");
  s.tell(Input::Kind::kSandboxLost);
  CHECK(s.actions() == std::vector<std::string>{"Event:SandboxChanged", "StopSandbox"});
  s.tell(Input::Kind::kSandboxStopped);
  CHECK(s.did("RunSandbox"));
  CHECK(s.state.containers[1].end->reason == "ContainerStatusUnknown");
  Input in;
  in.kind = Input::Kind::kSandboxReady;
  in.id = "sandbox2";
  in.number = 1;
  s.tell(in);
  CHECK(s.actions() == std::vector<std::string>{"EnsureImage:init"});
}

TEST_CASE("an evicted pod fails with its reason and keeps its object") {
  Story s(kOne);
  s.up_to_containers();
  s.run("app");
  Input in;
  in.kind = Input::Kind::kEvict;
  in.reason = "Evicted";
  in.text = "The node was low on resource: memory.";
  in.number = 1;
  s.tell(in);
  CHECK(s.did("Kill:app:1"));
  CHECK(s.status()["reason"].str() == "Evicted");
  CHECK(s.condition("DisruptionTarget") == "True TerminationByKubelet");
  s.exit("app", 137);
  s.tell(Input::Kind::kSandboxStopped);
  s.tell(Input::Kind::kCleaned);
  CHECK(s.actions().empty());
}

TEST_CASE("a rejected pod never gets anything") {
  Story s(kOne);
  Input in;
  in.kind = Input::Kind::kReject;
  in.reason = "OutOfcpu";
  in.text = "Pod was rejected: no cpu";
  s.tell(in);
  CHECK(s.did("Event:OutOfcpu"));
  CHECK(s.status()["phase"].str() == "Failed");
  CHECK(s.status()["reason"].str() == "OutOfcpu");
  CHECK_FALSE(s.did("RunSandbox"));
}

TEST_CASE("a changed image restarts the container, within the same pod") {
  Story s(kOne);
  s.up_to_containers();
  s.run("app");
  s.pod["spec"]["containers"].array_items()[0].set("image", "web:2");
  s.see();
  CHECK(s.did("Kill:app:30"));
  s.exit("app", 143);
  CHECK(s.did("EnsureImage:app"));
}

TEST_CASE("a pod that waits for the network starts when it comes") {
  Story s(kOne);
  s.state.network_ok = false;
  s.tell(Input::Kind::kAdmitted);
  CHECK_FALSE(s.did("RunSandbox"));
  Input in;
  in.kind = Input::Kind::kNetwork;
  in.ok = true;
  s.tell(in);
  CHECK(s.did("RunSandbox"));
}

TEST_CASE("what was not read yet is waited for without a complaint") {
  Story s(kOne);
  s.tell(Input::Kind::kAdmitted);
  Input in;
  in.kind = Input::Kind::kVolumesFailed;
  in.ok = true;
  s.tell(in);
  CHECK(s.actions().empty());
  s.wait(30s);
  CHECK(s.actions().empty());
  s.tell(Input::Kind::kVolumesChanged);
  CHECK(s.did("PrepareVolumes"));
}

TEST_CASE("readiness gates of others hold a pod back") {
  Story s("metadata: {name: p, namespace: d, uid: u1}\nspec: {readinessGates: [{conditionType: lb}], containers: [{name: app, image: a}]}");
  s.up_to_containers();
  s.run("app");
  CHECK(s.condition("ContainersReady") == "True");
  CHECK(s.condition("Ready") == "False ReadinessGatesNotReady");
  s.pod["status"] = yaml("conditions: [{type: lb, status: \"True\"}]");
  CHECK(s.condition("Ready") == "True");
  CHECK(s.condition("lb") == "True");
}
