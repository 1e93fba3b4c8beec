#include "plugins/runtime_containerd/cri_request.h"

#include <catch2/catch.hpp>

#include "plugins/container_engine/json.h"
#include "plugins/container_engine/signal_name.h"

using namespace lotse::runtime_containerd;

namespace {

Msg pod() {
  return Msg::map({{"uid", "u"},
                   {"namespace", "n"},
                   {"name", "p"},
                   {"attempt", 2},
                   {"log_dir", "/logs"},
                   {"host_network", true},
                   {"share_pid", true}});
}
Msg container() {
  return Msg::map({{"name", "c"}, {"attempt", 0}, {"image", "img"}, {"log_path", "c.log"}});
}
cri::PodSandboxStatus told(const cri::RunPodSandboxRequest& request) {
  cri::PodSandboxStatus status;
  status.set_id("sandbox-id");
  *status.mutable_metadata() = request.config().metadata();
  *status.mutable_annotations() = request.config().annotations();
  return status;
}
const Machine kMachine{"me", false, false};

}  // namespace

TEST_CASE("a container inherits from its sandbox what CRI wants told again") {
  auto sandbox = told(sandbox_request(pod(), kMachine));
  auto made = container_request(container(), sandbox, kMachine);
  CHECK(made.pod_sandbox_id() == "sandbox-id");
  CHECK(made.sandbox_config().log_directory() == "/logs");
  CHECK(made.sandbox_config().metadata().attempt() == 2);
  auto& spaces = made.config().linux().security_context().namespace_options();
  CHECK(spaces.network() == cri::NODE);
  CHECK(spaces.pid() == cri::POD);
  CHECK(made.config().labels().at(mark::kSandbox) == "sandbox-id");
}

TEST_CASE("users are numbers or names") {
  auto sandbox = told(sandbox_request(pod(), kMachine));
  auto security = [&](const char* user) {
    Msg request = container();
    request.set("security", Msg::map({{"user", user}}));
    return container_request(request, sandbox, kMachine).config().linux().security_context();
  };
  CHECK(security("1000").run_as_user().value() == 1000);
  CHECK_FALSE(security("1000").has_run_as_group());
  CHECK(security("1000:50").run_as_group().value() == 50);
  CHECK(security("nobody").run_as_username() == "nobody");
  CHECK_THROWS_WITH(security("0:wheel"), Catch::Contains("must be a number"));
}

TEST_CASE("paths of the kernel are hidden unless somebody says otherwise") {
  auto sandbox = told(sandbox_request(pod(), kMachine));
  auto masked = [&](Msg security) {
    Msg request = container();
    request.set("security", std::move(security));
    return container_request(request, sandbox, kMachine).config().linux().security_context().masked_paths_size();
  };
  CHECK(masked(Msg::map()) > 5);
  CHECK(masked(Msg::map({{"proc_mount", "Unmasked"}})) == 0);
  CHECK(masked(Msg::map({{"privileged", true}})) == 0);
  CHECK(masked(Msg::map({{"masked_paths", Msg::array({"/proc/x"})}})) == 1);
}

TEST_CASE("profiles that a machine lacks are left out if they are the default, and refused if they are named") {
  Msg request = pod();
  request.set("security", Msg::map({{"apparmor", "RuntimeDefault"}, {"seccomp", "Localhost:strict.json"}}));
  auto context = sandbox_request(request, kMachine).config().linux().security_context();
  CHECK_FALSE(context.has_apparmor());
  CHECK(context.seccomp().localhost_ref() == "strict.json");
  request.set("security", Msg::map({{"seccomp", "Strict"}}));
  CHECK_THROWS_WITH(sandbox_request(request, kMachine), Catch::Contains("seccomp"));
}

TEST_CASE("requests that lack something, or have it of the wrong type, are refused by its name") {
  Msg request = pod();
  request.set("attempt", "two");
  CHECK_THROWS_WITH(sandbox_request(request, kMachine), Catch::Contains("\"attempt\""));
  request = pod();
  request.set("uid", std::string("a\0b", 3));
  CHECK_THROWS_WITH(sandbox_request(request, kMachine), Catch::Contains("\"uid\""));
  request = pod();
  request.set("labels", Msg::map({{"runtime.lotse.local/owner", "other"}}));
  CHECK_THROWS_WITH(sandbox_request(request, kMachine), Catch::Contains("reserved"));
}

TEST_CASE("an exec has the container's process with another command") {
  std::string spec = R"({"process":{"args":["sleep"],"cwd":"/x","env":["A=1"],"user":{"uid":7}},"root":{}})";
  Json process = Json::parse(exec_process_json(spec, {"sh", "-c", "echo \"hi\""}, true));
  CHECK(process["args"].items().at(2).text() == "echo \"hi\"");
  CHECK(process["cwd"].text() == "/x");
  CHECK(process["user"]["uid"].number() == 7);
  CHECK(process["env"].items().at(1).text() == "TERM=xterm");
  CHECK(exec_process_json("{}", {"sh"}, false).empty());
  CHECK(exec_process_json("not json", {"sh"}, false).empty());
}

TEST_CASE("signals have names and numbers") {
  CHECK(signal_number("SIGTERM") == 15);
  CHECK(signal_number("USR1") == 10);
  CHECK(signal_number("9") == 9);
  CHECK(signal_number("RTMIN+3") == 37);
  CHECK(signal_number("SIGNONE") == 0);
  CHECK(signal_number("-1") == 0);
}
