// The permanent bytes.
#include "plugins/state_lmdb/format.h"

#include <lmdb.h>

#include <catch2/catch.hpp>

#include "unit/state_lmdb/store.h"

using namespace lotse;
using namespace lotse::state_lmdb;

TEST_CASE("keys keep their order in the index") {
  using namespace std::string_literals;
  std::vector<std::string> keys{"\0"s, "\0\0"s, "\0\xff"s, "\1", "a", "a\0"s, "a\0\1"s, "a\1", "aa", "b", "\xff"};
  for (size_t i = 0; i + 1 < keys.size(); ++i) {
    CHECK(index_prefix(keys[i]) + number(UINT64_MAX) < index_prefix(keys[i + 1]) + number(1));
    std::string back;
    unescape(index_prefix(keys[i]), back);
    CHECK(back == keys[i]);
  }
}

TEST_CASE("every key fits LMDB, and long ones fall into the group where they belong") {
  std::mt19937_64 random(3);
  for (int i = 0; i < 2000; ++i) {
    std::string a(1 + random() % 1024, 'x'), b;
    for (char& c : a) c = random() % 3 ? static_cast<char>(random() % 3) : 'x';
    b = a.substr(0, random() % a.size() + 1) + std::string(random() % 3, static_cast<char>(random() % 3));
    std::string ia = index_prefix(a), ib = index_prefix(b);
    REQUIRE(ia.size() + 8 <= 511);
    IndexKey ka, kb;
    std::string fa = ia + number(7), fb = ib + number(7);
    REQUIRE(read_index_key(fa, ka));
    REQUIRE(read_index_key(fb, kb));
    REQUIRE(ka.revision == 7);
    if (ka.group.empty() || ka.group != kb.group) {
      REQUIRE((ia < ib) == (a < b));
    }
    REQUIRE(index_start(a) <= ia);
    if (a <= b) REQUIRE(index_start(a) <= ib);
  }
}

TEST_CASE("a record is written as README.md says") {
  Record record{LOTSE_STATE_PUT, 0x0102, 0, "key", "value"};
  std::string bytes(record_size(record), '\0');
  write_record(record, bytes.data());
  CHECK(bytes == std::string("\x01\x00\x00\x03\x00\x00\x00\x00\x00\x00\x01\x02keyvalue", 20));
  record.expires_unix_ns = 5;
  bytes.assign(record_size(record), '\0');
  write_record(record, bytes.data());
  CHECK(bytes ==
        std::string("\x01\x01\x00\x03\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x00\x00\x00\x05keyvalue", 28));
  Record back;
  REQUIRE(read_record(bytes, back));
  CHECK(back.expires_unix_ns == 5);
  CHECK(back.value == "value");
  CHECK_FALSE(read_record(std::string_view(bytes).substr(0, 22), back));
}

TEST_CASE("an unknown format version is refused in a sentence") {
  test::Directory directory;
  { test::Store store(directory.path); }
  MDB_env* env = nullptr;
  mdb_env_create(&env);
  mdb_env_set_maxdbs(env, 8);
  REQUIRE(mdb_env_open(env, (directory.path + "/store.mdb").c_str(), MDB_NOSUBDIR, 0600) == 0);
  MDB_txn* txn = nullptr;
  MDB_dbi meta = 0;
  REQUIRE(mdb_txn_begin(env, nullptr, 0, &txn) == 0);
  REQUIRE(mdb_dbi_open(txn, kTableMeta, 0, &meta) == 0);
  std::string version;
  append_number(version, 9, 4);
  REQUIRE(put(txn, meta, kMetaFormat, version) == 0);
  REQUIRE(mdb_txn_commit(txn) == 0);
  mdb_env_close(env);
  test::Store store(directory.path);
  CHECK(store.status.code == LOTSE_UNSUPPORTED);
  CHECK(store.status.message.find("is of format 9, and this plugin knows format 1 only") != std::string::npos);
}

TEST_CASE("a data directory belongs to one store at a time") {
  test::Directory directory;
  test::Store first(directory.path);
  test::Store second(directory.path);
  CHECK(second.status.code == LOTSE_UNAVAILABLE);
  CHECK(second.status.message.find("in use by another process") != std::string::npos);
}
