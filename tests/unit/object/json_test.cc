#include "core/object/json.h"

#include <catch2/catch.hpp>

#include "core/object/utf8.h"

using namespace lotse;
using json::Value;

static Value parsed(std::string_view text) {
  auto v = json::parse(text);
  INFO(v.status().message);
  REQUIRE(v.ok());
  return *std::move(v);
}

TEST_CASE("text that is parsed and written is canonical") {
  CHECK(json::write(parsed(R"( { "b" : 1 , "a" : [ true , null , "x" ] } )")) == R"({"a":[true,null,"x"],"b":1})");
  CHECK(json::write(parsed(R"({"spec":{"kind":1,"a":2},"metadata":{},"kind":"K","apiVersion":"v1","a":0})")) ==
        R"({"apiVersion":"v1","kind":"K","metadata":{},"a":0,"spec":{"a":2,"kind":1}})");
  CHECK(json::write(parsed(R"(["\u00e4\/\u0001\n\"\\\ud83d\ude00"])")) == "[\"ä/\\u0001\\n\\\"\\\\😀\"]");
}

TEST_CASE("number text stays as it was received") {
  for (std::string text : {"0", "-0", "1.0", "1e3", "1E+300", "12345678901234567890123", "0.10", "-1.5e-7"}) {
    CHECK(json::write(parsed("[" + text + "]")) == "[" + text + "]");
    CHECK(json::write(parsed(text)) == text);
  }
  CHECK(parsed("1.0") == parsed("1"));
  CHECK(parsed("10e1") == parsed("100"));
  CHECK_FALSE(parsed("1") == parsed("\"1\""));
  CHECK(parsed("9007199254740993") != parsed("9007199254740992"));
  CHECK(parsed("1.5").integer(-1) == -1);
  CHECK(parsed("99999999999999999999").integer(-1) == -1);
  CHECK(parsed("9223372036854775807").integer() == INT64_MAX);
}

TEST_CASE("what is no JSON is refused with its place") {
  for (std::string_view text : {"",
                                " ",
                                "{",
                                "[1,]",
                                "{\"a\":1,}",
                                "{a:1}",
                                "01",
                                "1.",
                                "+1",
                                ".5",
                                "NaN",
                                "nul",
                                "\"\n\"",
                                "'a'",
                                "[1] x",
                                "\"\\ud800\"",
                                "1e400",
                                "\"\\x\"",
                                "// c\n1",
                                "\xEF\xBB\xBF",
                                "[1]]",
                                "\"\xC0\x80\"",
                                "\"\xED\xA0\x80\"",
                                "\"\xF5\x80\x80\x80\"",
                                "\"\xE2\x82\""}) {
    INFO(text);
    auto v = json::parse(text);
    REQUIRE_FALSE(v.ok());
    CHECK(v.status().reason == Reason::kBadRequest);
    CHECK(v.status().message.starts_with("invalid JSON at byte "));
  }
  CHECK_FALSE(json::parse(std::string_view("1\0", 2)).ok());
  CHECK_FALSE(json::parse(std::string_view("\"a\0b\"", 5)).ok());
  CHECK_FALSE(json::parse(std::string_view("{\"a\":1}\0{}", 10)).ok());
}

TEST_CASE("depth is limited to 512") {
  const auto nested = [](size_t n) { return std::string(n, '[') + std::string(n, ']'); };
  CHECK(json::parse(nested(512)).ok());
  auto v = json::parse(nested(513));
  REQUIRE_FALSE(v.ok());
  CHECK(v.status().message.find("512 deep") != std::string::npos);
  CHECK_FALSE(json::parse(std::string(1'000'000, '[')).ok());
  CHECK_FALSE(json::parse([] {
                std::string s;
                for (int i = 0; i < 100000; ++i) s += "{\"a\":";
                return s;
              }())
                  .ok());
}

TEST_CASE("of a key given twice the last value stays, and its path is told") {
  std::vector<std::string> twice;
  auto v = json::parse(R"({"b":1,"spec":{"c":[{"x":1},{"name":"a","z":0,"name":"b"}]},"b":2,"b":3})", &twice);
  REQUIRE(v.ok());
  CHECK(json::write(*v) == R"({"b":3,"spec":{"c":[{"x":1},{"name":"b","z":0}]}})");
  CHECK(twice == std::vector<std::string>{"spec.c[1].name", "b", "b"});
}

TEST_CASE("reading never fails") {
  const Value v = parsed(R"({"spec":{"a":"x","n":3,"l":[1,2],"long":"more than fourteen characters"}})");
  CHECK(v["spec"]["a"].str() == "x");
  CHECK(v["spec"]["long"].str() == "more than fourteen characters");
  CHECK(v["none"]["of"]["these"].str("fallback") == "fallback");
  CHECK(v["spec"]["a"].integer(7) == 7);
  CHECK(v["spec"]["l"].at(1).integer() == 2);
  CHECK(v["spec"]["l"].at(2).is_null());
  CHECK(v["spec"]["n"].items().empty());
  CHECK_FALSE(v.has("none"));
}

TEST_CASE("writing makes what is not there") {
  Value v;
  v["metadata"]["labels"].set("b", "2").set("a", 1);
  v["list"].push("x");
  v["list"].push(Value::object({{"k", 1.5}}));
  CHECK(json::write(v) == R"({"metadata":{"labels":{"a":1,"b":"2"}},"list":["x",{"k":1.5}]})");
  CHECK(v["metadata"]["labels"].erase("a"));
  CHECK_FALSE(v["metadata"]["labels"].erase("a"));
  Value copy = v;
  copy["list"].push(nullptr);
  CHECK(v != copy);
  CHECK(v["list"].size() == 2);
  v = v["list"];  // a part of itself
  CHECK(json::write(v) == R"(["x",{"k":1.5}])");
  CHECK(sizeof(Value) == 16);
  CHECK(json::depth(v) == 2);
}

TEST_CASE("UTF-8 is counted in code points") {
  CHECK(is_utf8("plain and äöü € 😀, longer than eight bytes"));
  CHECK(utf8_length("ä€😀") == 3);
  CHECK_FALSE(is_utf8("\xC3"));
  CHECK_FALSE(is_utf8("12345678\xFF"));
}
