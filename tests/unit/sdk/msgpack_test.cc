#include "lotse/msgpack.hpp"

#include <catch2/catch.hpp>

using namespace lotse::sdk;

static std::string complaint(std::string_view bytes) {
  try {
    Msg::parse(bytes);
  } catch (const Failure& failure) {
    CHECK(failure.code() == LOTSE_INVALID);
    return failure.what();
  }
  return "";
}

TEST_CASE("a Msg comes back as it was sent, at every width") {
  for (int64_t v : {int64_t(0),
                    int64_t(127),
                    int64_t(128),
                    int64_t(255),
                    int64_t(256),
                    int64_t(65535),
                    int64_t(65536),
                    int64_t(UINT32_MAX),
                    int64_t(UINT32_MAX) + 1,
                    INT64_MAX,
                    int64_t(-1),
                    int64_t(-32),
                    int64_t(-33),
                    int64_t(-128),
                    int64_t(-129),
                    int64_t(-32768),
                    int64_t(-32769),
                    int64_t(INT32_MIN),
                    int64_t(INT32_MIN) - 1,
                    INT64_MIN}) {
    CHECK(Msg::parse(Msg(v).encode()).as_int() == v);
  }
  CHECK(Msg::parse(Msg(UINT64_MAX).encode()).as_uint() == UINT64_MAX);
  CHECK(Msg::parse(Msg(-2.5).encode()).as_double() == -2.5);
  for (size_t size : {0, 31, 32, 255, 256, 65535, 65536}) {
    std::string text(size, 'x');
    CHECK(Msg::parse(Msg(text).encode()).as_text() == text);
    CHECK(Msg::parse(Msg::bin(text).encode()) == Msg::bin(text));
  }
  for (size_t size : {0, 15, 16, 65535, 65536}) {
    Msg::Array items(size, Msg(true));
    CHECK(Msg::parse(Msg(items).encode()).items().size() == size);
  }
  Msg nested = Msg::map({{"a", Msg::array({1, "x", Msg(), Msg::map({{"b", false}})})}});
  CHECK(Msg::parse(nested.encode()) == nested);
  CHECK(nested["a"].items()[3]["b"].is_bool());
  CHECK(nested["none"]["deeper"].is_nil());
}

TEST_CASE("hostile MessagePack is refused in a sentence") {
  CHECK(complaint("") == "the MessagePack message holds less than it announces");
  CHECK(complaint("\xc1") == "the MessagePack message holds a byte that means nothing here");
  CHECK(complaint("\xdd\xff\xff\xff\xff") == "the MessagePack message holds less than it announces");
  CHECK(complaint("\xdf\xff\xff\xff\xff") == "the MessagePack message holds less than it announces");
  CHECK(complaint("\xdb\xff\xff\xff\xff"
                  "a") == "the MessagePack message holds less than it announces");
  CHECK(complaint("\x01\x01") == "the MessagePack message holds more than one value");
  CHECK(complaint("\x81\x01\x01") == "the MessagePack message holds a map key that is not text");
  CHECK(complaint(std::string(100'000, '\x91')) == "the MessagePack message holds too many levels");
  CHECK(complaint(std::string(100'000, '\x81')) == "the MessagePack message holds too many levels");
  CHECK(complaint(std::string(32, '\x91') + "\x01").empty());
}
