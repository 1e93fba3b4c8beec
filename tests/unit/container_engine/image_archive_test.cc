#include "plugins/container_engine/image_archive.h"

#include <catch2/catch.hpp>

#include "lotse/error.hpp"
#include "plugins/container_engine/digest.h"
#include "tests/unit/container_engine/tar_writer.h"

using namespace lotse::container_engine;

namespace {

const std::string kLayer = "the bytes of a layer";
std::string hex(const std::string& bytes) {
  return sha256_hex(bytes);
}
std::string config_json(const std::string& diff) {
  return "{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" + diff + "\"]}}";
}
std::string descriptor(const std::string& type, const std::string& bytes, const std::string& more = "") {
  return "{\"mediaType\":\"" + type + "\",\"digest\":\"sha256:" + hex(bytes) +
         "\",\"size\":" + std::to_string(bytes.size()) + more + "}";
}

std::vector<TarEntry> oci_layout(const std::string& name, const std::string& platform = "") {
  std::string config = config_json(hex(kLayer));
  std::string manifest =
      "{\"schemaVersion\":2,\"config\":" + descriptor("application/vnd.oci.image.config.v1+json", config) +
      ",\"layers\":[" + descriptor("application/vnd.oci.image.layer.v1.tar", kLayer) + "]}";
  std::string annotation = name.empty() ? "" : ",\"annotations\":{\"io.containerd.image.name\":\"" + name + "\"}";
  std::string index = "{\"manifests\":[" +
                      descriptor("application/vnd.oci.image.manifest.v1+json", manifest, annotation + platform) + "]}";
  return {{"index.json", index, '0', ""},
          {"blobs/sha256/" + hex(config), config, '0', ""},
          {"blobs/sha256/" + hex(manifest), manifest, '0', ""},
          {"blobs/sha256/" + hex(kLayer), kLayer, '0', ""}};
}

std::vector<ArchiveImage> read(const std::vector<TarEntry>& entries) {
  TempFile file(tar_bytes(entries));
  TarIndex tar(file.path);
  auto images = images_of(tar);
  for (auto& image : images) {
    for (auto& layer : image.layers) layer.entry = nullptr;  // it goes with the index
  }
  return images;
}

}  // namespace

TEST_CASE("an OCI layout is read") {
  auto images = read(oci_layout("lotse.local/demo:1"));
  REQUIRE(images.size() == 1);
  CHECK(images[0].names == std::vector<std::string>{"lotse.local/demo:1"});
  CHECK(images[0].layers.at(0).digest == "sha256:" + hex(kLayer));
  CHECK(images[0].diff_ids.at(0) == "sha256:" + hex(kLayer));
}

TEST_CASE("what docker save writes is read, and gets a manifest") {
  std::string config = config_json(hex("unpacked"));
  std::string gzip = "\x1f\x8b and so on";
  auto images =
      read({{"manifest.json",
             "[{\"Config\":\"abc.json\",\"RepoTags\":[\"busybox:1.35\"],\"Layers\":[\"l/layer.tar\"]}]", '0', ""},
            {"abc.json", config, '0', ""},
            {"l/layer.tar", "", '2', "../m/layer.tar"},
            {"m/layer.tar", gzip, '0', ""}});
  REQUIRE(images.size() == 1);
  CHECK(images[0].names == std::vector<std::string>{"docker.io/library/busybox:1.35"});
  CHECK(images[0].layers.at(0).media_type == "application/vnd.docker.image.rootfs.diff.tar.gzip");
  CHECK(images[0].manifest.digest == "sha256:" + hex(images[0].manifest.bytes));
}

TEST_CASE("archives that contradict themselves are refused") {
  CHECK_THROWS_WITH(read({}), Catch::Contains("neither index.json nor manifest.json"));
  CHECK_THROWS_WITH(read(oci_layout("")), Catch::Contains("no name"));
  CHECK_THROWS_WITH(read(oci_layout("a b")), Catch::Contains("no name of an image") || Catch::Contains("no name"));
  CHECK_THROWS_WITH(read(oci_layout("x:1", ",\"platform\":{\"os\":\"plan9\",\"architecture\":\"mips\"}")),
                    Catch::Contains("no image for linux"));
  auto lacking = oci_layout("x:1");
  lacking.pop_back();
  CHECK_THROWS_WITH(read(lacking), Catch::Contains("lacks"));
  auto resized = oci_layout("x:1");
  resized.back().data += "!";
  CHECK_THROWS_WITH(read(resized), Catch::Contains("size"));
  CHECK_THROWS_WITH(read({{"index.json", "{\"manifests\":[{\"digest\":\"sha256:../../etc/passwd\"}]}", '0', ""}}),
                    Catch::Contains("no sha256 digest"));
}

TEST_CASE("names are completed as Docker does") {
  CHECK(full_image_name("busybox") == "docker.io/library/busybox:latest");
  CHECK(full_image_name("user/app:2") == "docker.io/user/app:2");
  CHECK(full_image_name("localhost/app") == "localhost/app:latest");
  CHECK(full_image_name("host:5000/app") == "host:5000/app:latest");
  CHECK(full_image_name("lotse.local/pause:1") == "lotse.local/pause:1");
  CHECK(full_image_name("a b").empty());
  CHECK(full_image_name("").empty());
}

TEST_CASE("chain ids are those of the image specification") {
  auto ids = chain_ids({"sha256:a", "sha256:b"});
  CHECK(ids[0] == "sha256:a");
  CHECK(ids[1] == "sha256:" + sha256_hex("sha256:a sha256:b"));
}
