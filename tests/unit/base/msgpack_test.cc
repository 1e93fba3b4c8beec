#include "core/base/msgpack.h"

#include <catch2/catch.hpp>

using namespace lotse;

TEST_CASE("a value comes back as it was sent") {
  MsgValue v = MsgValue::map({{"text", "t"},
                              {"bin", MsgValue::bin(std::string_view("\0\xff", 2))},
                              {"int", -5},
                              {"big", UINT64_MAX},
                              {"real", 1.5},
                              {"yes", true},
                              {"nil", MsgValue()},
                              {"list", MsgValue::array({1, "two", MsgValue::map({{"k", 3}})})}});
  auto back = MsgValue::parse(v.encode());
  REQUIRE(back.ok());
  CHECK(*back == v);
  CHECK((*back)["int"].as_int() == -5);
  CHECK((*back)["big"].as_uint() == UINT64_MAX);
  CHECK((*back)["big"].as_int(7) == 7);
  CHECK((*back)["text"].as_text() == "t");
  CHECK((*back)["bin"].as_text().size() == 2);
  CHECK((*back)["list"].items()[2]["k"].as_int() == 3);
  CHECK((*back)["missing"].is_nil());
  CHECK(back->has("nil"));
  CHECK_FALSE(back->has("missing"));
}

TEST_CASE("a writer makes the same bytes as a value") {
  std::string out;
  MsgWriter(&out).map(2).str("a").array(2).integer(1).boolean(false).member("b", "c");
  CHECK(out == MsgValue::map({{"a", MsgValue::array({1, false})}, {"b", "c"}}).encode());
  CHECK(MsgValue(5).encode() == "\x05");
}

TEST_CASE("hostile bytes are refused in a sentence") {
  auto complaint = [](std::string_view bytes, MsgLimits limits = {}) {
    return MsgValue::parse(bytes, limits).status().message;
  };
  CHECK(complaint("") == "the MessagePack message holds nothing");
  CHECK(complaint("\xc1") == "the MessagePack message holds a byte that means nothing");
  CHECK(complaint("\xdd\xff\xff\xff\xff") == "the MessagePack message holds less than it announces");
  CHECK(complaint("\xdf\xff\xff\xff\xff") == "the MessagePack message holds less than it announces");
  CHECK(complaint("\xdb\xff\xff\xff\xff"
                  "abc") == "the MessagePack message holds less than it announces");
  CHECK(complaint("\x01\x01") == "the MessagePack message holds more than one value");
  CHECK(complaint("\x81\x01\x02") == "the MessagePack message holds a map key that is not text");
  CHECK(complaint("\x81\x90\x02") == "the MessagePack message holds a map key that is not text");
  CHECK(complaint(std::string("\xd4\x01\x00", 3)) == "the MessagePack message holds an extension type");
  CHECK(complaint(std::string(33, '\x91') + "\x01") == "the MessagePack message holds more than 32 levels");
  CHECK(complaint(std::string(32, '\x91') + "\x01").empty());
  CHECK(complaint(std::string(100'000, '\x91')) == "the MessagePack message holds more than 32 levels");
  CHECK(complaint("\x93\x01\x02\x03", {.values_max = 3}) == "the MessagePack message holds more than 3 values");
  CHECK(complaint("\x93\x01\x02\x03", {.bytes_max = 3}) == "the MessagePack message holds more than 3 bytes");
}

TEST_CASE("a message may be followed by another") {
  size_t used = 0;
  auto v = MsgValue::parse_front("\x92\x01\x02\x05", &used);
  REQUIRE(v.ok());
  CHECK(v->items().size() == 2);
  CHECK(used == 3);
}

TEST_CASE("members and items can be added to what is there") {
  MsgValue v;
  v.set("a", 1);
  v.set("a", 2);
  CHECK(v == MsgValue::map({{"a", 2}}));
  MsgValue list;
  list.push("x");
  CHECK(list.as_strings() == std::vector<std::string>{"x"});
}
