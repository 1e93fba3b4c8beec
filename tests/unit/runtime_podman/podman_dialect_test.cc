#include "plugins/runtime_podman/podman_dialect.h"

#include <catch2/catch.hpp>

#include "plugins/runtime_podman/settings.h"

using namespace lotse::runtime_podman;

TEST_CASE("a sandbox has no network of Podman's, and containers join its namespaces") {
  ContainerSpec spec;
  Msg body = PodmanDialect().create(spec).body;
  CHECK(body["netns"]["nsmode"].as_text() == "none");
  CHECK(body["ipcns"]["nsmode"].as_text() == "shareable");
  spec.sandbox = "abc";
  spec.log_path = "/logs/0.log";
  spec.env = {"A=b=c"};
  spec.stop_signal = "SIGUSR1";
  body = PodmanDialect().create(spec).body;
  CHECK(body["netns"]["value"].as_text() == "abc");
  CHECK(body["pidns"]["nsmode"].as_text() == "private");
  CHECK(body["log_configuration"]["driver"].as_text() == "k8s-file");
  CHECK(body["log_configuration"]["path"].as_text() == "/logs/0.log");
  CHECK(body["env"]["A"].as_text() == "b=c");
  CHECK(body["stop_signal"].as_int() == 10);
}

TEST_CASE("limits are those of the OCI runtime, the swap with the memory") {
  Resources limits;
  limits.memory_bytes = limits.swap_bytes = 64 << 20;
  limits.cpu_shares = 256;
  ApiCall update = PodmanDialect().update("abc", limits);
  CHECK(update.path == "/containers/abc/update");
  CHECK(update.body["memory"]["limit"].as_int() == 64 << 20);
  CHECK(update.body["memory"]["swap"].as_int() == 64 << 20);
  CHECK(update.body["cpu"]["shares"].as_int() == 256);
}

TEST_CASE("Podman's states and events become ours") {
  auto facts = PodmanDialect().facts(Json::parse(
      R"({"Id":"x","State":{"Status":"exited","ExitCode":3,"OOMKilled":true,"Pid":0},"Image":"beef","StaticDir":"/s"})"));
  CHECK(facts.state == ContainerFacts::State::exited);
  CHECK(facts.exit_code == 3);
  CHECK(facts.oom_killed);
  CHECK(facts.image_id == "sha256:beef");
  auto event = PodmanDialect().event(
      Json::parse(R"({"Type":"container","Action":"died","Actor":{"ID":"c1","Attributes":{}},"timeNano":7})"));
  REQUIRE(event);
  CHECK(event->kind == EngineEvent::Kind::exited);
}

TEST_CASE("who may not raise limits gets Podman's defaults lowered") {
  Settings settings;
  settings.oci_runtime = "runc";
  CHECK(containers_conf(settings, {false, true}).find("default_ulimits") != std::string::npos);
  CHECK(containers_conf(settings, {true, true}).find("default_ulimits") == std::string::npos);
}
