#include "plugins/runtime_docker/docker_dialect.h"

#include <catch2/catch.hpp>

#include "plugins/runtime_docker/settings.h"

using namespace lotse::runtime_docker;

namespace {

const std::string kId(64, 'a');

Msg create_body(const ContainerSpec& spec) {
  return DockerDialect().create(spec).body;
}

}  // namespace

TEST_CASE("a sandbox has no network of Docker's, and containers join its namespaces") {
  ContainerSpec sandbox;
  sandbox.hostname = "web";
  Msg host = create_body(sandbox)["HostConfig"];
  CHECK(host["NetworkMode"].as_text() == "none");
  CHECK(host["IpcMode"].as_text() == "shareable");
  CHECK(create_body(sandbox)["Hostname"].as_text() == "web");
  ContainerSpec container;
  container.sandbox = kId;
  host = create_body(container)["HostConfig"];
  CHECK(host["NetworkMode"].as_text() == "container:" + kId);
  CHECK(host["IpcMode"].as_text() == "container:" + kId);
  CHECK(host["PidMode"].is_nil());
  container.share_pid = true;
  CHECK(create_body(container)["HostConfig"]["PidMode"].as_text() == "container:" + kId);
  container.host_pid = true;
  CHECK(create_body(container)["HostConfig"]["PidMode"].as_text() == "host");
}

TEST_CASE("Docker never rotates a log that the relay reads") {
  ContainerSpec spec;
  CHECK(create_body(spec)["HostConfig"]["LogConfig"]["Type"].as_text() == "none");
  spec.log_path = "/var/log/pods/x/0.log";
  Msg log = create_body(spec)["HostConfig"]["LogConfig"];
  CHECK(log["Type"].as_text() == "json-file");
  CHECK(log["Config"]["max-file"].as_text() == "1");
}

TEST_CASE("what has never run and cannot is told as an exit with its reason") {
  auto facts = DockerDialect().facts(Json::parse(
      R"({"Id":"x","Created":"2026-01-02T03:04:05.5Z","State":{"Status":"created","ExitCode":127,"Error":"no such file",)"
      R"("StartedAt":"0001-01-01T00:00:00Z"}})"));
  CHECK(facts.state == ContainerFacts::State::exited);
  CHECK(facts.start_failed);
  CHECK(facts.exit_code == 127);
  CHECK(facts.started == 0);
  CHECK(facts.created == 1767323045'500000000);
}

TEST_CASE("events tell what happened to whom") {
  DockerDialect docker;
  auto event = docker.event(Json::parse(
      R"({"Type":"container","Action":"exec_die","Actor":{"ID":"c1","Attributes":{"execID":"e1"}},"timeNano":7})"));
  REQUIRE(event);
  CHECK(event->kind == EngineEvent::Kind::exec_exited);
  CHECK(event->exec_id == "e1");
  CHECK(event->time == 7);
  CHECK_FALSE(docker.event(Json::parse(R"({"Type":"container","Action":"exec_start: ls","Actor":{"ID":"c1"}})")));
  CHECK_FALSE(docker.event(Json::parse("nonsense")));
}

TEST_CASE("the dockerd of our own touches no network and lets containers live on") {
  Settings settings;
  settings.engine.data_dir = "/d";
  settings.engine.run_dir = "/r";
  settings.engine.socket = "/r/docker.sock";
  Json config = Json::parse(dockerd_json(settings, {true, false}));
  CHECK_FALSE(config["iptables"].boolean());
  CHECK(config["bridge"].text() == "none");
  CHECK(config["live-restore"].boolean());
  CHECK(config["storage-driver"].text() == "vfs");
}
