#include "core/agent/image_use.h"

#include <catch2/catch.hpp>

using namespace lotse;
using namespace lotse::agent;

namespace {

constexpr char kPause[] = "lotse.local/pause:1";

MsgValue image(const std::string& id, std::vector<std::string> names, int64_t bytes, bool pinned = false) {
  auto out = MsgValue::map({{"id", id}, {"bytes", bytes}, {"pinned", pinned}});
  MsgValue::Array list;
  for (auto& name : names) list.emplace_back(std::move(name));
  out.set("names", MsgValue(std::move(list)));
  return out;
}

std::vector<ImageUse> node() {
  MsgValue::Array images, containers;
  images.push_back(image("sha256:aaaaaaaaaaaaaaaa1", {"docker.io/library/nginx:latest"}, 2'500'000));
  images.push_back(image("sha256:aaaaaaaaaaaaaaaa2", {"a.example/b:1", "a.example/b:2"}, 999));
  images.push_back(image("sha256:bbbbbbbbbbbbbbbb1", {kPause}, 1000));
  images.push_back(image("sha256:cccccccccccccccc1", {}, 7, true));
  containers.push_back(MsgValue::map(
      {{"image_id", "sha256:aaaaaaaaaaaaaaaa1"},
       {"name", "web"},
       {"labels", MsgValue::map({{"io.kubernetes.pod.namespace", "default"}, {"io.kubernetes.pod.name", "shop"}})}}));
  return image_uses(MsgValue::map({{"items", MsgValue(std::move(images))}}),
                    MsgValue::map({{"items", MsgValue(std::move(containers))}}), kPause);
}

}  // namespace

TEST_CASE("an image stays while a container has it, and when it is pinned") {
  auto images = node();
  CHECK(images[0].containers == std::vector<std::string>{"default/shop/web"});
  CHECK(may_remove(images[0]).message == "docker.io/library/nginx:latest is in use by the container default/shop/web");
  CHECK(may_remove(images[1]).ok());
  CHECK(images[2].pinned);
  CHECK(may_remove(images[3]).message.find("is pinned") != std::string::npos);
  CHECK_FALSE(images[3].removable());
}

TEST_CASE("an image is found by a name, completed or not, by its id, and by the beginning of that") {
  auto images = node();
  auto found = [&](const std::string& wanted) {
    auto it = find_image(images, wanted);
    return it.ok() ? it->id.substr(7) : std::string("no: ") + std::string(it.status().message);
  };
  CHECK(found("nginx") == "aaaaaaaaaaaaaaaa1");
  CHECK(found("a.example/b:2") == "aaaaaaaaaaaaaaaa2");
  CHECK(found("sha256:bbbbbbbbbbbbbbbb1") == "bbbbbbbbbbbbbbbb1");
  CHECK(found("bbbbbbbbbbbb") == "bbbbbbbbbbbbbbbb1");
  CHECK(found("bbbbb").starts_with("no: there is no image bbbbb"));
  CHECK(found("aaaaaaaaaaaaaaaa") == "no: aaaaaaaaaaaaaaaa is the beginning of several images' ids");
}

TEST_CASE("the table shows every name, the biggest image first") {
  std::string table = image_table(node());
  CHECK(table.starts_with("NAME"));
  CHECK(table.find("docker.io/library/nginx:latest  aaaaaaaaaaaa     2.5 MB  1 container\n") != std::string::npos);
  CHECK(table.find("a.example/b:2") != std::string::npos);
  CHECK(table.find("<none>") != std::string::npos);
  CHECK(table.find("nginx") < table.find("pause"));
}
