#include "plugins/state_etcd/layout.h"

#include <catch2/catch.hpp>

using namespace lotse::state_etcd;

TEST_CASE("the record of the store comes back as it was written, and nothing else is taken for one") {
  Record record;
  record.id = "0123456789abcdef0123456789abcdef";
  record.generation = 7;
  record.base = 123456789012;
  record.offset = 987654321;
  auto back = Record::parse(record.text());
  REQUIRE(back);
  CHECK(back->id == record.id);
  CHECK(back->generation == 7);
  CHECK(back->base == record.base);
  CHECK(back->offset == record.offset);
  CHECK_FALSE(Record::parse(""));
  CHECK_FALSE(Record::parse("lotse-state 2\nid x\ngeneration 0\nbase 1\noffset 0\n"));
  CHECK_FALSE(Record::parse("lotse-state 1\nid x\ngeneration 0\nbase one\noffset 0\n"));
  CHECK_FALSE(Record::parse("lotse-state 1\nid x\ngeneration 0\nbase 1\n"));
}

TEST_CASE("revisions of the contract grow with etcd's and with the place in a transaction") {
  Record record;
  record.offset = 1000;
  CHECK(record.revision(5, 0) > record.revision(4, 127));
  for (int64_t etcd : {1, 77, 1 << 20}) {
    for (uint64_t place : {0, 1, 127}) CHECK(record.etcd_revision(record.revision(etcd, place)) == etcd);
  }
  CHECK(record.etcd_revision(999) == 0);
}

TEST_CASE("a generation's keys are apart from all others") {
  Layout layout("/lotse/");
  CHECK(layout.data_start(1) == "/lotse/d/00000001/");
  CHECK(layout.data_end(1) < layout.data_start(2));
  CHECK(layout.data_start(1) + std::string(10, '\xff') < layout.data_end(1));
  CHECK(layout.meta_start() < layout.record());
  CHECK(layout.record() < layout.meta_end());
}

TEST_CASE("stored values come back with what was stored beside them") {
  for (uint64_t restored : {UINT64_C(0), UINT64_C(1) << 60}) {
    for (int64_t expires : {INT64_C(0), INT64_C(1) << 61}) {
      StoredValue value;
      value.place = 127;
      value.restored = restored;
      value.expires_unix_ns = expires;
      value.value = std::string_view("a\0b", 3);
      std::string bytes = value.bytes();
      StoredValue back;
      REQUIRE(StoredValue::parse(bytes, back));
      CHECK(back.place == 127);
      CHECK(back.restored == restored);
      CHECK(back.expires_unix_ns == expires);
      CHECK(back.value == value.value);
    }
  }
  StoredValue back;
  CHECK_FALSE(StoredValue::parse("", back));
  CHECK_FALSE(StoredValue::parse("x", back));
  CHECK_FALSE(StoredValue::parse(std::string_view("\x03\x00short", 7), back));
  CHECK_FALSE(StoredValue::parse(std::string_view("\x00\xff", 2), back));
  CHECK_FALSE(StoredValue::parse(std::string_view("\x04\x00", 2), back));
}
