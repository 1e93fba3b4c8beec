#include "core/cli/facts.h"

#include <catch2/catch.hpp>

using namespace lotse;
using namespace lotse::cli;

TEST_CASE("YAML says what JSON says, and a reader of it gets every text back as the text that it was") {
  json::Value v = *json::parse(R"({"a":{"b":[{"c":1,"d":"x"},{"e":[]}],"f":{}},"g":[["h","i"],"j"],"t":"yes","n":"1.5","d":"2026-01-01","s":"a: b","u":"http://x:1","h":"# no",
                                   "e":"","o":"o'clock","l":"two\nlines","w":" space ","m":"-","z":null,"k":true,"time":"12:30:00","~":"~"})");
  const std::string text = yaml(v);
  auto back = json::parse_yaml(text);
  INFO(text);
  REQUIRE(back.ok());
  CHECK(json::write(*back) == json::write(v));
  CHECK(text.find("u: http://x:1\n") != text.npos);
  CHECK(text.find("t: \"yes\"\n") != text.npos);
}

TEST_CASE("a table's columns are as wide as their widest cell") {
  CHECK(table({{"NAME", "CPU"}, {"a-long-name", "1m"}}) == "NAME          CPU\na-long-name   1m\n");
}
