#include <catch2/catch.hpp>

#include "core/network/dns_message.h"

using namespace lotse::network::dns;

namespace {

std::string bytes(std::initializer_list<int> list) {
  std::string out;
  for (int b : list) out += static_cast<char>(b);
  return out;
}

const std::string kHeader = bytes({0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0});

}  // namespace

TEST_CASE("a question is read, its name in lower case and as it was asked") {
  auto q = parse_query(kHeader + bytes({3, 'W', 'w', 'W', 2, 'd', 'e', 0, 0, 1, 0, 1}));
  REQUIRE(q);
  CHECK(q->id == 0x1234);
  CHECK(q->name == "www.de");
  CHECK(q->raw_name == bytes({3, 'W', 'w', 'W', 2, 'd', 'e', 0}));
  CHECK(q->type == kA);
  CHECK(q->cls == 1);
  CHECK(q->recursion);
  CHECK_FALSE(q->edns);
  CHECK(q->size_max == 512);
}

TEST_CASE("EDNS says how much fits, within bounds") {
  const std::string question = bytes({1, 'a', 0, 0, 28, 0, 1});
  std::string header = kHeader;
  header[11] = 1;
  auto asked = [&](int size) { return parse_query(header + question + bytes({0, 0, 41, size >> 8, size & 255, 0, 0, 0, 0, 0, 0})); };
  CHECK(asked(1000)->size_max == 1000);
  CHECK(asked(100)->size_max == 512);
  CHECK(asked(65535)->size_max == 1232);
  CHECK(asked(1000)->edns);
}

TEST_CASE("what is no question gets no answer") {
  const std::string good = kHeader + bytes({1, 'a', 0, 0, 1, 0, 1});
  REQUIRE(parse_query(good));
  for (size_t size = 0; size < good.size(); ++size) CHECK_FALSE(parse_query(good.substr(0, size)));
  std::string response = good;
  response[2] = static_cast<char>(0x81);
  CHECK_FALSE(parse_query(response));
  std::string two = good;
  two[5] = 2;
  CHECK_FALSE(parse_query(two));
  CHECK_FALSE(parse_query(good + std::string(5000, 'x')));
}

TEST_CASE("compression pointers only go backwards") {
  CHECK_FALSE(parse_query(kHeader + bytes({0xc0, 12, 0, 1, 0, 1})));  // to itself
  CHECK_FALSE(parse_query(kHeader + bytes({0xc0, 40, 0, 1, 0, 1})));  // ahead
  CHECK_FALSE(parse_query(kHeader + bytes({0xc0, 4, 0, 1, 0, 1})));   // into the header, which is another one in the answer
  CHECK_FALSE(parse_query(kHeader + bytes({1, 'a', 0xc0, 12, 0, 1, 0, 1})));  // round and round: a name of 128 labels is refused
}

TEST_CASE("an answer goes out with the question it is of, and is read again") {
  auto q = parse_query(kHeader + bytes({1, 'A', 0, 0, 1, 0, 1}));
  Answer a;
  a.answers = {address("a", "192.0.2.7", 5), {"a", kCname, 5, wire_name("b.c")}};
  auto r = parse_response(write(*q, a, q->size_max));
  REQUIRE(r);
  CHECK(r->id == 0x1234);
  CHECK(r->question == "a");
  CHECK(r->type == kA);
  CHECK_FALSE(r->truncated);
  REQUIRE(r->answers.size() == 2);
  CHECK(r->answers[0].data == bytes({192, 0, 2, 7}));
  CHECK(r->answers[1].data == wire_name("b.c"));
}

TEST_CASE("an answer that does not fit is cut, and says so") {
  auto q = parse_query(kHeader + bytes({1, 'a', 0, 0, 1, 0, 1}));
  Answer a;
  for (int i = 0; i < 60; ++i) a.answers.push_back(address("a", "192.0.2." + std::to_string(i), 5));
  const std::string cut = write(*q, a, q->size_max);
  CHECK(cut.size() <= 512);
  CHECK(parse_response(cut)->truncated);
  auto whole = parse_response(write(*q, a, 0));
  CHECK_FALSE(whole->truncated);
  CHECK(whole->answers.size() == 60);
}

TEST_CASE("a question of ours is one that others can read") {
  auto q = parse_query(write_query(7, "lotse.example", kAaaa));
  REQUIRE(q);
  CHECK(q->id == 7);
  CHECK(q->name == "lotse.example");
  CHECK(q->type == kAaaa);
  CHECK(q->recursion);
}

TEST_CASE("addresses of both families, and what is none") {
  CHECK(address_data("192.0.2.1").size() == 4);
  CHECK(address_data("2001:db8::1").size() == 16);
  CHECK(address_data("192.0.2").empty());
  CHECK(address("x", "2001:db8::1", 1).type == kAaaa);
  CHECK(srv("x", 0x1234, "t", 1).data == bytes({0, 0, 0, 100, 0x12, 0x34, 1, 't', 0}));
}
