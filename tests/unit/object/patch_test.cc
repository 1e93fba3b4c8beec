#include <catch2/catch.hpp>

#include "core/object/json.h"

using namespace lotse;

static std::string patched(std::string_view document, std::string_view patch) {
  auto v = json::apply_json_patch(*json::parse(document), *json::parse(patch));
  return v.ok() ? json::write(*v) : "refused: " + v.status().message;
}
static std::string merged(std::string_view document, std::string_view patch) {
  return json::write(json::merge_patch(*json::parse(document), *json::parse(patch)));
}

TEST_CASE("JSON patch follows RFC 6902") {
  CHECK(patched(R"({"a":{"b":1}})", R"([{"op":"add","path":"/a/c","value":[1]}])") == R"({"a":{"b":1,"c":[1]}})");
  CHECK(patched(R"({"a":[1,3]})", R"([{"op":"add","path":"/a/1","value":2},{"op":"add","path":"/a/-","value":4}])") ==
        R"({"a":[1,2,3,4]})");
  CHECK(patched(R"({"a":[1,2]})", R"([{"op":"remove","path":"/a/0"}])") == R"({"a":[2]})");
  CHECK(patched(R"({"a":1})", R"([{"op":"replace","path":"/a","value":null}])") == R"({"a":null})");
  CHECK(patched(R"({"a":1})", R"([{"op":"replace","path":"","value":{"b":2}}])") == R"({"b":2})");
  CHECK(patched(R"({"a":{"x":1},"b":{}})", R"([{"op":"move","from":"/a/x","path":"/b/y"}])") ==
        R"({"a":{},"b":{"y":1}})");
  CHECK(patched(R"({"a":[1,2,3]})", R"([{"op":"move","from":"/a/0","path":"/a/2"}])") == R"({"a":[2,3,1]})");
  CHECK(patched(R"({"a":{"x":1}})", R"([{"op":"copy","from":"/a","path":"/a/y"}])") == R"({"a":{"x":1,"y":{"x":1}}})");
  CHECK(patched(R"({"a/b":1,"m~n":2})", R"([{"op":"test","path":"/a~1b","value":1},{"op":"remove","path":"/m~0n"}])") ==
        R"({"a/b":1})");
  CHECK(patched(R"({"a":1})", R"([{"op":"test","path":"/a","value":1.0}])") == R"({"a":1})");
}

TEST_CASE("a JSON patch that does not fit names its operation") {
  const std::string doc = R"({"a":[1],"o":{}})";
  for (std::string_view op : {R"({"op":"remove","path":"/x"})", R"({"op":"replace","path":"/x","value":1})",
                              R"({"op":"add","path":"/x/y","value":1})", R"({"op":"add","path":"/a/2","value":1})",
                              R"({"op":"add","path":"/a/01","value":1})", R"({"op":"test","path":"/a","value":[2]})",
                              R"({"op":"move","from":"/o","path":"/o/x"})", R"({"op":"remove","path":""})",
                              R"({"op":"copy","from":"/n","path":"/m"})", R"({"op":"add","path":"x","value":1})",
                              R"({"op":"add","path":"/x"})", R"({"op":"fly","path":"/x"})", R"({"op":"add"})", "1"}) {
    INFO(op);
    CHECK(patched(doc, "[" + std::string(op) + "]").starts_with("refused: JSON patch operation 0 ("));
  }
  CHECK(patched(doc, R"({"op":"add"})") == "refused: a JSON patch is an array of operations");
}

TEST_CASE("copying into itself cannot make a document of any size or depth") {
  std::string grow = "[", deepen = "[";
  for (int i = 0; i < 40; ++i) {
    grow += std::string(i ? "," : "") + R"({"op":"copy","from":"/a","path":"/a/-"})";
    deepen += std::string(i ? "," : "") + R"({"op":"copy","from":"","path":"/x"})";
  }
  CHECK(patched(R"({"a":["0123456789"]})", grow + "]").find("refused") == 0);
  CHECK(patched(R"({})", deepen + "]").size() < 1000);
}

TEST_CASE("merge patch follows RFC 7386") {
  CHECK(merged(R"({"a":"b"})", R"({"a":"c"})") == R"({"a":"c"})");
  CHECK(merged(R"({"a":"b","b":"c"})", R"({"a":null})") == R"({"b":"c"})");
  CHECK(merged(R"({"a":["b"]})", R"({"a":"c"})") == R"({"a":"c"})");
  CHECK(merged(R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})") == R"({"a":{"b":"d"}})");
  CHECK(merged(R"(["a"])", R"({"a":{"bb":{"ccc":null}}})") == R"({"a":{"bb":{}}})");
  CHECK(merged(R"({"a":1})", R"(["c"])") == R"(["c"])");
}
