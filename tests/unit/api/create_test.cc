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

namespace {

// Protobuf by hand: a field of bytes, a field of a number.
std::string field(int number, const std::string& bytes) {
  REQUIRE(bytes.size() < 128);
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
}
std::string field(int number, int value) { return {static_cast<char>(number << 3), static_cast<char>(value)}; }
std::string envelope(const std::string& version, const std::string& kind, const std::string& message) {
  return std::string("k8s\0", 4) + field(1, field(1, version) + field(2, kind)) + field(2, message) + field(3, "") + field(4, "");
}

}  // namespace

TEST_CASE_METHOD(ServerFixture, "Bodies in protobuf are read by the table of kinds") {
  const auto send = [&](std::string_view resource, const std::string& body) {
    auto r = request(Verb::kCreate, resource, "default", {}, body);
    r.content_type = "application/vnd.kubernetes.protobuf";
    return ask(std::move(r));
  };
  const std::string meta = field(1, field(1, "a") + field(3, "") + field(8, "") + field(11, field(1, "k") + field(2, "v")));
  const auto v = must(send("configmaps", envelope("v1", "ConfigMap", meta + field(2, field(1, "x") + field(2, "1")) + field(2, field(1, "y")))));
  CHECK(v["metadata"]["labels"]["k"].str() == "v");
  CHECK(v["data"]["x"].str() == "1");
  CHECK(v["data"]["y"].str("-").empty());
  const std::string secret = field(1, field(1, "s")) + field(2, field(1, "p") + field(2, "\x01\x02"));
  CHECK(must(send("secrets", envelope("v1", "Secret", secret)))["data"]["p"].str() == "AQI=");
  // A pod: lists, an inlined message (a volume's source), a pointer to 0, a number that is 0 because nobody set it.
  const std::string container = field(1, "c") + field(2, "i") + field(6, field(2, 0) + field(3, 80));
  const std::string volume = field(1, "v") + field(2, field(2, field(1, "")));
  const std::string pod = field(1, field(1, "p")) + field(2, field(1, volume) + field(2, container) + field(4, 0) + field(11, 0));
  const auto p = must(send("pods", envelope("v1", "Pod", pod)));
  CHECK(p["spec"]["volumes"].at(0)["emptyDir"].is_object());
  CHECK(p["spec"]["containers"].at(0)["ports"].at(0)["containerPort"].integer() == 80);
  CHECK_FALSE(p["spec"]["containers"].at(0)["ports"].at(0).has("hostPort"));
  CHECK(p["spec"]["terminationGracePeriodSeconds"].integer(-1) == 0);
  CHECK(p["spec"]["dnsPolicy"].str() == "ClusterFirst");
  for (const std::string& bad : {std::string("k8s"), std::string("k8s\0\x0a\xff", 6), std::string("nonsense"), envelope("v1", "ConfigMap", "\x12\x7f")}) {
    CHECK(send("configmaps", bad).status == 400);
  }
  CHECK(send("configmaps", envelope("example.com/v1", "Thing", "")).status == 415);
}

TEST_CASE_METHOD(ServerFixture, "An event is one object under two versions") {
  must(create("events", "default", R"({"metadata":{"name":"e"},"involvedObject":{"kind":"Pod","name":"p","namespace":"default"},"message":"hello","reason":"R","type":"Normal","count":1})"));
  const auto v = must(get("events.events.k8s.io", "default", "e"));
  CHECK(v["apiVersion"].str() == "events.k8s.io/v1");
  CHECK(v["note"].str() == "hello");
  CHECK(v["regarding"]["name"].str() == "p");
  CHECK(must(list("events.events.k8s.io", "default"))["items"].at(0)["note"].str() == "hello");
  must(patch("events.events.k8s.io", "default", "e", R"({"metadata":{"labels":{"a":"b"}}})"));
  const auto back = must(get("events", "default", "e"));
  CHECK(back["message"].str() == "hello");
  CHECK(back["metadata"]["labels"]["a"].str() == "b");
}

TEST_CASE_METHOD(ServerFixture, "Protobuf is passed over in Accept") {
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
