#include "plugins/container_engine/tar_index.h"

#include <catch2/catch.hpp>

#include "lotse/error.hpp"
#include "tests/unit/container_engine/tar_writer.h"

using namespace lotse::container_engine;

namespace {

std::string refusal(const std::string& bytes) {
  TempFile file(bytes);
  try {
    TarIndex tar(file.path);
    for (const char* name : {"a", "b", "c"}) tar.find(name);
    return "";
  } catch (const lotse::sdk::Failure& failure) {
    CHECK(failure.code() == LOTSE_INVALID);
    return failure.what();
  }
}

std::string pax(const std::string& key, const std::string& value) {
  std::string record = " " + key + "=" + value + "\n";
  size_t length = record.size() + 2;
  if (std::to_string(length).size() + record.size() != length) length++;
  return std::to_string(length) + record;
}

}  // namespace

TEST_CASE("a tar's entries are found by name and read where they lie") {
  TempFile file(tar_bytes({{"./dir/", "", '5', ""},
                           {"./dir/one", "first", '0', ""},
                           {"two", std::string(3000, 'x'), '0', ""},
                           {"dir/link", "", '2', "../two"},
                           {"hard", "", '1', "dir/one"}}));
  TarIndex tar(file.path);
  CHECK(tar.read("dir/one", 100) == "first");
  CHECK(tar.read("dir/link", 4000).size() == 3000);
  CHECK(tar.read("hard", 100) == "first");
  CHECK(tar.find("dir") == nullptr);
  CHECK_THROWS_WITH(tar.read("two", 100), Catch::Contains("too large"));
  size_t size = 0;
  tar.each_piece(*tar.find("two"), [&](std::string_view piece) { size += piece.size(); });
  CHECK(size == 3000);
}

TEST_CASE("long names and sizes come from extended headers") {
  std::string name(200, 'n');
  TempFile file(tar_bytes({{"x", pax("path", name) + pax("mtime", "1.5"), 'x', ""},
                           {"short", "paxed", '0', ""},
                           {"././@LongLink", name + "2" + std::string(1, '\0'), 'L', ""},
                           {"short", "gnu", '0', ""}}));
  TarIndex tar(file.path);
  CHECK(tar.read(name, 100) == "paxed");
  CHECK(tar.read(name + "2", 100) == "gnu");
  CHECK(tar.size() == 2);
}

TEST_CASE("what is no tar, or leads out of it, is refused") {
  CHECK_THAT(refusal(std::string(2048, 'x')), Catch::Contains("not octal") || Catch::Contains("checksum"));
  CHECK_THAT(refusal(tar_bytes({{"../../etc/passwd", "x", '0', ""}})), Catch::Contains("leads out"));
  CHECK_THAT(refusal(tar_bytes({{"a", "", '2', "/etc/passwd"}})), Catch::Contains("leads out"));
  CHECK_THAT(refusal(tar_bytes({{"a", "", '2', "../x"}})), Catch::Contains("leads out"));
  CHECK_THAT(refusal(tar_bytes({{"a", "", '2', "b"}, {"b", "", '2', "a"}})), Catch::Contains("circle"));
  CHECK_THAT(refusal(tar_bytes({{"a", "1", '0', ""}, {"./a", "2", '0', ""}})), Catch::Contains("twice"));
  CHECK_THAT(refusal("\x1f\x8b" + std::string(600, 'z')), Catch::Contains("gunzip"));
  CHECK_THAT(refusal(tar_bytes({{"a", std::string(5000, 'x'), '0', ""}}).substr(0, 2048)),
             Catch::Contains("larger than the file"));
  CHECK_THAT(refusal(tar_bytes({{"x", "9999999 path=a\n", 'x', ""}})), Catch::Contains("extended header"));
  CHECK_THAT(refusal(tar_bytes({{"x", pax("size", "99999999999999999999"), 'x', ""}, {"a", "1", '0', ""}})),
             Catch::Contains("not a number"));
}

TEST_CASE("a size of nearly 2^64 does not wrap around") {
  TarEntry entry{"a", "data", '0', ""};
  std::string bytes = tar_bytes({entry});
  std::string header = bytes.substr(0, 512);
  memset(header.data() + 124, 0xff, 12);
  header[124] = static_cast<char>(0x80);
  finish_header(header);
  CHECK_THAT(refusal(header + bytes.substr(512)), Catch::Contains("too large") || Catch::Contains("larger than"));
}

TEST_CASE("only regular files are archives") {
  CHECK_THROWS_WITH(TarIndex("/dev/zero"), Catch::Contains("not a regular file"));
  CHECK_THROWS_WITH(TarIndex("/no/such/file"), Catch::Contains("cannot open"));
}

TEST_CASE("paths are made normal") {
  std::string out;
  CHECK((normal_path("./a//b/../c", &out) && out == "a/c"));
  CHECK((normal_path("/a/", &out) && out == "a"));
  CHECK_FALSE(normal_path("a/../../b", &out));
}
