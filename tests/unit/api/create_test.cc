#include "unit/api/fixture.h"

namespace lotse::api {

TEST_CASE_METHOD(ServerFixture, "A created object gets what only the server gives") {
  const auto v = must(create("configmaps", "default", config_map("a")));
  CHECK(v["apiVersion"].str() == "v1");
  CHECK(v["kind"].str() == "ConfigMap");
  CHECK(v["metadata"]["namespace"].str() == "default");
  CHECK(v["metadata"]["uid"].str().size() == 36);
  CHECK_FALSE(v["metadata"]["creationTimestamp"].str().empty());
  CHECK_FALSE(v["metadata"]["resourceVersion"].str().empty());
  CHECK(must(get("configmaps", "default", "a")) == v);
}

TEST_CASE_METHOD(ServerFixture, "What exists already is not created again") {
  CHECK(create("configmaps", "default", config_map("a")).status == 201);
  const auto r = create("configmaps", "default", config_map("a"));
  CHECK(r.status == 409);
  CHECK(value(r)["reason"].str() == "AlreadyExists");
  CHECK(value(r)["message"].str() == "configmaps \"a\" already exists");
  CHECK(value(r)["details"]["kind"].str() == "configmaps");
}

TEST_CASE_METHOD(ServerFixture, "generateName makes names until one is free") {
  const auto v = must(create("configmaps", "default", R"({"metadata":{"generateName":"x-"}})"));
  CHECK(v["metadata"]["name"].str().size() == 7);
  CHECK(v["metadata"]["name"].str().substr(0, 2) == "x-");
  CHECK(v["metadata"]["generateName"].str() == "x-");
  CHECK(create("configmaps", "default", R"({"metadata":{}})").status == 422);
}

TEST_CASE_METHOD(ServerFixture, "Bodies that are not what they should be are refused with a reason") {
  struct Row { const char* body; int status; const char* part; };
  const Row rows[] = {{R"({"metadata":{"name":"a"},)", 400, ""},
                      {R"([])", 400, "object"},
                      {R"({"apiVersion":"v2","metadata":{"name":"a"}})", 400, "API version"},
                      {R"({"kind":"Secret","metadata":{"name":"a"}})", 400, "kind"},
                      {R"({"metadata":{"name":"a","namespace":"other"}})", 400, "namespace"},
                      {R"({"metadata":{"name":"a","resourceVersion":"5"}})", 400, "resourceVersion"},
                      {R"({"metadata":{"name":"A_"}})", 422, "metadata.name"},
                      {R"({"metadata":"x"})", 400, "metadata"},
                      {R"({"metadata":{"name":"a"},"data":{"k":5}})", 400, ""},
                      {"{\"metadata\":{\"name\":\"\xff\"}}", 400, ""}};
  for (const auto& row : rows) {
    const auto r = create("configmaps", "default", row.body);
    INFO(row.body << " -> " << r.text());
    CHECK(r.status == row.status);
    CHECK(value(r)["kind"].str() == "Status");
    CHECK(value(r)["message"].str().find(row.part) != std::string_view::npos);
  }
}

TEST_CASE_METHOD(ServerFixture, "Unknown fields are warned of, refused or passed over as fieldValidation says") {
  auto ask_with = [&](const char* mode, const char* name) {
    auto r = request(Verb::kCreate, "configmaps", "default", {}, R"({"metadata":{"name":")" + std::string(name) + R"("},"dta":{},"data":{"a":"1","a":"2"}})");
    if (mode) r.options.emplace_back("fieldValidation", mode);
    return ask(std::move(r));
  };
  const auto warned = ask_with(nullptr, "a");
  CHECK(warned.status == 201);
  std::string warnings;
  for (const auto& [k, v] : warned.headers) warnings += k == "Warning" ? v : "";
  CHECK(warnings.find("unknown field \\\"dta\\\"") != std::string::npos);
  CHECK(warnings.find("duplicate field") != std::string::npos);
  CHECK_FALSE(value(warned).has("dta"));
  const auto strict = ask_with("Strict", "b");
  CHECK(strict.status == 400);
  CHECK(value(strict)["message"].str().find("strict decoding error: unknown field \"dta\"") != std::string_view::npos);
  const auto ignored = ask_with("Ignore", "c");
  CHECK(ignored.status == 201);
}

TEST_CASE_METHOD(ServerFixture, "A dry run answers as if, and stores nothing") {
  auto r = request(Verb::kCreate, "configmaps", "default", {}, config_map("a"));
  r.options.emplace_back("dryRun", "All");
  CHECK(ask(r).status == 201);
  CHECK(get("configmaps", "default", "a").status == 404);
  r.options[0].second = "Some";
  CHECK(ask(r).status == 422);
}

TEST_CASE_METHOD(ServerFixture, "Protobuf is refused for bodies and passed over in Accept") {
  auto r = request(Verb::kCreate, "configmaps", "default", {}, "k8s");
  r.content_type = "application/vnd.kubernetes.protobuf";
  CHECK(ask(r).status == 415);
  auto g = request(Verb::kList, "configmaps", "default");
  g.accept = "application/vnd.kubernetes.protobuf,application/json";
  CHECK(ask(g).status == 200);
  g.accept = "application/vnd.kubernetes.protobuf";
  CHECK(ask(g).status == 406);
}

TEST_CASE_METHOD(ServerFixture, "YAML bodies are understood") {
  auto r = request(Verb::kCreate, "configmaps", "default", {}, "metadata:\n  name: yy\ndata:\n  a: b\n");
  r.content_type = "application/yaml";
  CHECK(must(ask(r))["data"]["a"].str() == "b");
}

TEST_CASE_METHOD(ServerFixture, "What does not exist is said in the form of a Status") {
  CHECK(value(get("configmaps", "default", "no"))["message"].str() == "configmaps \"no\" not found");
  CHECK(get("nothings", "default", "no").status == 404);
  CHECK(get("nothings.example.com", "default", "no").status == 404);
  CHECK(create("configmaps", "missing", config_map("a")).status == 404);
  auto r = request(Verb::kUpdate, "configmaps", "default", "no", config_map("no"));
  CHECK(ask(r).status == 404);
  r.subresource = "nonsense";
  CHECK(ask(r).status == 404);
}

TEST_CASE_METHOD(ServerFixture, "A body over 3 MiB is refused") {
  CHECK(create("configmaps", "default", config_map("a", std::string(3u << 20, 'x'))).status == 413);
}

}  // namespace lotse::api
