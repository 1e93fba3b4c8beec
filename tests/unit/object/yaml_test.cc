#include <catch2/catch.hpp>

#include "core/object/json.h"

using namespace lotse;

static std::string yaml(std::string_view text) {
  auto v = json::parse_yaml(text);
  return v.ok() ? json::write(*v) : "refused: " + v.status().message;
}

TEST_CASE("plain scalars read as in YAML 1.1, quoted ones are strings") {
  CHECK(yaml("[yes, No, on, off, true, y, \"yes\", 'no', yEs]") ==
        R"([true,false,true,false,true,true,"yes","no","yEs"])");
  CHECK(yaml("[1, -2, +3, 0x1F, 0o17, 017, 0b11, 1_000]") == "[1,-2,3,31,15,15,3,1000]");
  CHECK(yaml("[1.5, 1e3, .5, 1., -1.10]") == "[1.5,1e3,0.5,1,-1.10]");
  CHECK(yaml("[~, null, NULL, , '']") == R"([null,null,null,null,""])");
  CHECK(yaml("[2026-01-02, 12:30, 1.2.3, 100m, 1Gi, 0x, 08a, -, .]").find("refused") == std::string::npos);
  CHECK(yaml("[2026-01-02, 1.2.3, 100m, 1Gi]") == R"(["2026-01-02","1.2.3","100m","1Gi"])");
  CHECK(yaml("1: a\ntrue: b\n") == R"({"1":"a","true":"b"})");
  CHECK(yaml("!!str 1") == "\"1\"");
  CHECK(yaml("a: |\n  x\n  y\nb: >-\n  x\n  y\n") == "{\"a\":\"x\\ny\\n\",\"b\":\"x y\"}");
}

TEST_CASE("a manifest reads as its JSON") {
  CHECK(
      yaml("---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {x: \"1\"}}\nspec:\n  containers:\n  - name: "
           "c\n    args: [-c, sleep 1]\n") ==
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"x":"1"},"name":"a"},"spec":{"containers":[{"args":["-c","sleep 1"],"name":"c"}]}})");
  CHECK(yaml("") == "null");
  CHECK(yaml("{\"json\": [1, {\"is\": \"yaml\"}]}") == R"({"json":[1,{"is":"yaml"}]})");
}

TEST_CASE("anchors, aliases and merge keys") {
  CHECK(yaml("a: &x {p: 1, q: 2}\nb: *x\nc: {<<: *x, q: 3}\n") ==
        R"({"a":{"p":1,"q":2},"b":{"p":1,"q":2},"c":{"p":1,"q":3}})");
  CHECK(yaml("a: &x [*x]").starts_with("refused"));
}

TEST_CASE("hostile YAML is refused in bounds") {
  std::string laughs = "a0: &a0 [l,l,l,l,l,l,l,l,l,l]\n";
  for (int i = 1; i < 12; ++i) {
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) laughs += std::string(j ? "," : "") + "*a" + std::to_string(i - 1);
    laughs += "]\n";
  }
  CHECK(yaml(laughs).find("refused: invalid YAML at line") == 0);
  CHECK(yaml(std::string(100000, '[')).starts_with("refused"));
  CHECK(yaml(std::string(4 << 20, 'a')).starts_with("refused"));
  CHECK(yaml("a: 1\na: 2\n").starts_with("refused"));
  CHECK(yaml("a: [1\n").starts_with("refused"));
  CHECK(yaml("a: \xC3\x28\n").starts_with("refused"));
  CHECK(yaml("a: 1\n---\nb: 2\n").starts_with("refused"));
  CHECK(yaml("!!python/object:x {}").starts_with("refused"));
  CHECK(yaml("? [a]\n: 1\n").starts_with("refused"));
}
