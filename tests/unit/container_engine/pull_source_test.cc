#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "lotse/plugin.hpp"
#include "plugins/container_engine/process_file.h"
#include "plugins/container_engine/pull_source.h"

using namespace lotse::container_engine;

namespace {

Msg asked(const std::string& image, Msg from) {
  return Msg::map({{"image", image}, {"from", std::move(from)}});
}

constexpr char kCa[] = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";

}  // namespace

TEST_CASE("without `from` an image comes from the registry in its name") {
  PullSource source = pull_source(Msg::map({{"image", "busybox"}}));
  CHECK(source.image == "docker.io/library/busybox:latest");
  CHECK(source.name == source.image);
  CHECK(source.registry == "docker.io");
  CHECK_FALSE(source.is_mirror());
  CHECK_FALSE(source.insecure);
}

TEST_CASE("a mirror has the image under the same path") {
  PullSource source = pull_source(asked("busybox:1", Msg::map({{"server", "10.0.0.1:5000"}, {"insecure", true}})));
  CHECK(source.image == "docker.io/library/busybox:1");
  CHECK(source.name == "10.0.0.1:5000/library/busybox:1");
  CHECK(source.registry == "10.0.0.1:5000");
  CHECK(source.insecure);
  CHECK(source.is_mirror());
  source = pull_source(asked("a.example/b:1", Msg::map({{"server", "harbor.example/proxy/a"}, {"ca", kCa}})));
  CHECK(source.name == "harbor.example/proxy/a/b:1");
  CHECK(source.registry == "harbor.example");
  CHECK(source.ca == kCa);
  CHECK_FALSE(pull_source(asked("a.example/b:1", Msg::map({{"server", "a.example"}}))).is_mirror());
}

TEST_CASE("a server that is none is refused") {
  for (const char* server : {"..", "../x", "-x.y", ".:", "a b.c", "https://a.b", "a.b/", "user@a.b", "plain"}) {
    INFO(server);
    CHECK_THROWS_AS(pull_source(asked("busybox", Msg::map({{"server", server}}))), lotse::sdk::Failure);
  }
  CHECK_THROWS_AS(pull_source(asked("busybox", Msg::map({{"ca", "no certificate"}}))), lotse::sdk::Failure);
}

TEST_CASE("a tag stands for a digest") {
  CHECK(tag_of_digest("a.b/c@sha256:0123") == "a.b/c:sha256-0123");
  CHECK(tag_of_digest("a.b:5/c:1@sha256:0123") == "a.b:5/c:sha256-0123");
  CHECK(tag_of_digest("a.b:5/c:1").empty());
}

TEST_CASE("a file is kept as it is to be, and only a change is told") {
  char name[] = "/tmp/lotse-keep-XXXXXX";
  REQUIRE(mkdtemp(name) != nullptr);
  std::string file = std::string(name) + "/a/b/file";
  CHECK_FALSE(keep_file(file, ""));
  CHECK(keep_file(file, "text"));
  CHECK_FALSE(keep_file(file, "text"));
  CHECK(read_small_file(file) == "text");
  CHECK((std::filesystem::status(file).permissions() & std::filesystem::perms::all) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  CHECK(keep_file(file, ""));
  CHECK_FALSE(std::filesystem::exists(file));
  std::filesystem::remove_all(name);
}
