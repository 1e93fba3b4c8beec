// defaults/NAME.yaml is what a client sends, defaults/NAME.json what is stored. LOTSE_UPDATE_GOLDEN=1 writes the
// latter.
#include "core/schema/defaults.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "core/schema/qos.h"
#include "unit/schema/edit.h"

using namespace lotse;
using namespace lotse::schema;

TEST_CASE("objects get the defaults of upstream") {
  size_t files = 0;
  for (auto& entry : std::filesystem::directory_iterator(LOTSE_SOURCE_DIR "/tests/unit/schema/defaults")) {
    if (entry.path().extension() != ".yaml") continue;
    ++files;
    const json::Value sent = yaml(read_file(entry.path()));
    const ResourceInfo& resource = resource_of(sent);
    INFO(entry.path());
    REQUIRE(check_types(resource, sent).ok());
    const json::Value stored = admitted(resource, sent, nullptr, Operation::kCreate);
    const std::string golden = std::filesystem::path(entry.path()).replace_extension(".json");
    if (std::getenv("LOTSE_UPDATE_GOLDEN")) std::ofstream(golden) << json::write_pretty(stored);
    CHECK(json::write_pretty(stored) == read_file(golden));
    CHECK(validate(resource, stored, nullptr, Operation::kCreate).empty());
    // What is stored is a fixed point: sent again it changes nothing.
    json::Value again = admitted(resource, stored, &stored, Operation::kUpdate);
    CHECK(json::write(again) == json::write(stored));
    CHECK(validate(resource, again, &stored, Operation::kUpdate).empty());
  }
  CHECK(files >= 8);
}

TEST_CASE("the tag decides how an image is pulled") {
  for (std::string_view image : {"nginx", "nginx:latest", "registry:5000/nginx", "a/b", "nginx:latest@sha256:0123"}) {
    INFO(image);
    CHECK(default_pull_policy(image) == "Always");
  }
  for (std::string_view image :
       {"nginx:1.25", "registry:5000/nginx:1", "nginx@sha256:0123", "registry:5000/nginx@sha256:0123"}) {
    INFO(image);
    CHECK(default_pull_policy(image) == "IfNotPresent");
  }
}

TEST_CASE("quality of service follows requests and limits") {
  const auto qos = [](std::string_view containers) {
    return qos_class(yaml("{spec: {containers: " + std::string(containers) + "}}"));
  };
  CHECK(qos("[{name: a}]") == "BestEffort");
  CHECK(qos("[{resources: {requests: {cpu: '1'}}}]") == "Burstable");
  CHECK(qos("[{resources: {requests: {cpu: '1', memory: 1Gi}, limits: {cpu: '1', memory: 1024Mi}}}]") == "Guaranteed");
  CHECK(qos("[{resources: {limits: {cpu: '1', memory: 1Gi}}}]") == "Guaranteed");
  CHECK(qos("[{resources: {limits: {cpu: '1', memory: 1Gi}}}, {name: b}]") == "Burstable");
  CHECK(qos("[{resources: {requests: {cpu: '0'}}}]") == "BestEffort");
}
