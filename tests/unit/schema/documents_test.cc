#include <catch2/catch.hpp>

#include "unit/schema/edit.h"

using namespace lotse;
using namespace lotse::schema;

namespace {

void collect_refs(const json::Value& v, std::set<std::string>* refs) {
  for (const json::Value& item : v.items()) collect_refs(item, refs);
  for (const auto& [key, member] : v.members()) {
    if (key == "$ref" && member.is_string())
      refs->insert(std::string(member.str().substr(member.str().rfind('/') + 1)));
    else
      collect_refs(member, refs);
  }
}

}  // namespace

TEST_CASE("no reference of an OpenAPI document hangs") {
  const json::Value v2 = openapi_v2();
  std::set<std::string> refs;
  collect_refs(v2, &refs);
  CHECK(refs.size() > 250);
  for (const std::string& name : refs) CHECK(v2["definitions"].has(name));
  const json::Value index = openapi_v3_index();
  CHECK(index["paths"].size() == 10);
  for (const auto& [path, entry] : index["paths"].members()) {
    auto v3 = openapi_v3(path);
    INFO(path);
    REQUIRE(v3.ok());
    CHECK(entry["serverRelativeURL"].str().starts_with("/openapi/v3/" + path + "?hash="));
    refs.clear();
    collect_refs(*v3, &refs);
    for (const std::string& name : refs) CHECK((*v3)["components"]["schemas"].has(name));
  }
  CHECK_FALSE(openapi_v3("apis/none/v1").ok());
}

TEST_CASE("definitions carry what kubectl needs to apply") {
  const json::Value v2 = openapi_v2();
  const json::Value& pod = v2["definitions"]["io.k8s.api.core.v1.Pod"];
  CHECK(json::write(pod["x-kubernetes-group-version-kind"]) == R"([{"group":"","kind":"Pod","version":"v1"}])");
  const json::Value& containers = v2["definitions"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"];
  CHECK(containers["x-kubernetes-patch-merge-key"].str() == "name");
  CHECK(containers["x-kubernetes-patch-strategy"].str() == "merge");
  CHECK(containers["x-kubernetes-list-type"].str() == "map");
  const json::Value& patch = v2["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"];
  CHECK(patch["x-kubernetes-group-version-kind"]["kind"].str() == "Pod");
  CHECK(patch["parameters"].at(0)["name"].str() == "dryRun");
  std::set<std::string> ids;
  for (const auto& [path, item] : v2["paths"].members()) {
    for (const auto& [method, operation] : item.members()) {
      if (operation.is_object()) CHECK(ids.insert(std::string(operation["operationId"].str())).second);
    }
  }
}

TEST_CASE("the protobuf form starts as gnostic's Document does") {
  const Bytes b = openapi_v2_protobuf();
  CHECK(
      b.view().starts_with(std::string_view("\x0a\x03"
                                            "2.0"
                                            "\x12\x15\x0a\x0aKubernetes\x12\x07v1.36.0",
                                            28)));
  CHECK(b.size() > 100'000);
  CHECK(b.size() < 400'000);
  CHECK(openapi_v2_protobuf().data() == b.data());
}

TEST_CASE("discovery") {
  CHECK(json::write(api_versions()).find(R"("versions":["v1"])") != std::string::npos);
  const json::Value groups = api_group_list();
  CHECK(groups["groups"].at(0)["name"].str() == "apps");
  CHECK(groups["groups"].at(0)["preferredVersion"]["groupVersion"].str() == "apps/v1");
  CHECK((*api_group("policy"))["kind"].str() == "APIGroup");
  CHECK_FALSE(api_group("none").ok());
  CHECK_FALSE(api_resources("apps", "v2").ok());
  const json::Value apps = *api_resources("apps", "v1");
  CHECK(apps["groupVersion"].str() == "apps/v1");
  bool scale = false;
  for (const json::Value& r : apps["resources"].items()) {
    if (r["name"].str() != "deployments/scale") continue;
    scale = r["kind"].str() == "Scale" && r["group"].str() == "autoscaling" && r["verbs"].size() == 3;
  }
  CHECK(scale);
  const json::Value core = aggregated_discovery(true), rest = aggregated_discovery(false);
  CHECK(core["items"].size() == 1);
  CHECK(rest["items"].size() == groups["groups"].size());
  CHECK(core["items"].at(0)["versions"].at(0)["resources"].size() > 10);
}
