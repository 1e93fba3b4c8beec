#include <catch2/catch.hpp>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/base/result.h"

using namespace lotse;

TEST_CASE("Bytes share one block and compare by content") {
  Bytes a("hello");
  Bytes b = a;
  CHECK(a.data() == b.data());
  CHECK(a == Bytes("hello"));
  CHECK_FALSE(a == Bytes("hallo"));
  CHECK(Bytes::join({"he", "", "llo"}) == a);
  CHECK(Bytes().view().empty());
  CHECK(Bytes("").empty());
}

TEST_CASE("adopted bytes are released once, with the last reference") {
  int released = 0;
  {
    Bytes a = Bytes::adopt(
        "abc", [](void* ctx) { ++*static_cast<int*>(ctx); }, &released);
    Bytes b = a;
    a = Bytes();
    CHECK(released == 0);
    CHECK(b.view() == "abc");
  }
  CHECK(released == 1);
}

TEST_CASE("times are written and read as Kubernetes does") {
  WallTime t = WallTime(std::chrono::seconds(1767323045)) + std::chrono::microseconds(678901);
  CHECK(format_time(t) == "2026-01-02T03:04:05Z");
  CHECK(format_micro_time(t) == "2026-01-02T03:04:05.678901Z");
  CHECK(*parse_time("2026-01-02T03:04:05.678901Z") == t);
  CHECK(*parse_time("2026-01-02T05:04:05.678901+02:00") == t);
  CHECK(format_time(WallTime(std::chrono::seconds(-1))) == "1969-12-31T23:59:59Z");
  for (const char* wrong :
       {"", "2026-01-02", "2026-13-02T03:04:05Z", "2026-02-30T03:04:05Z", "2026-01-02T24:00:00Z", "2026-01-02T03:04:05",
        "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05Zx", "2026-01-02T03:04:05+2:00", "0001-01-01T00:00:00Z"}) {
    INFO(wrong);
    CHECK_FALSE(parse_time(wrong).ok());
  }
}

TEST_CASE("ages lose digits as they grow") {
  using namespace std::chrono;
  CHECK(format_age(seconds(119)) == "119s");
  CHECK(format_age(seconds(130)) == "2m10s");
  CHECK(format_age(minutes(120)) == "120m");
  CHECK(format_age(minutes(185)) == "3h5m");
  CHECK(format_age(hours(47)) == "47h");
  CHECK(format_age(hours(123)) == "5d3h");
  CHECK(format_age(hours(24 * 400)) == "400d");
  CHECK(format_age(hours(24 * 800)) == "2y70d");
  CHECK(format_age(seconds(-5)) == "<invalid>");
}

TEST_CASE("encodings go both ways and refuse what is not canonical") {
  std::string out;
  for (std::string text : {"", "f", "fo", "foo", "foob", "\xff\xfe\xfd"}) {
    REQUIRE(unbase64(base64(text), &out));
    CHECK(out == text);
    REQUIRE(unbase64url(base64url(text), &out));
    CHECK(out == text);
  }
  CHECK(base64("foob") == "Zm9vYg==");
  CHECK(base64url("\xff\xfe\xfd") == "__79");
  for (const char* wrong : {"Zg=", "Zg", "Zh==", "Z===", "Zm9v\n", "Zg==Zg==", "__79"})
    CHECK_FALSE(unbase64(wrong, &out));
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hash64("") == 14695981039346656037ull);
  CHECK(hash64("a") == 0xaf63dc4c8601ec8cull);
}

TEST_CASE("names are of the right form and do not repeat") {
  std::string uuid = make_uuid();
  CHECK(uuid.size() == 36);
  CHECK(uuid[14] == '4');
  CHECK(uuid != make_uuid());
  CHECK(make_suffix().size() == 5);
  CHECK(make_suffix(40).find_first_of("aeiou013") == std::string::npos);
}

TEST_CASE("a Status is worded as clients expect it") {
  CHECK(Status::not_found("apps", "deployments", "web").message == "deployments.apps \"web\" not found");
  CHECK(Status::already_exists("", "pods", "web").message == "pods \"web\" already exists");
  CHECK(Status::conflict("", "pods", "web", "try again").message ==
        "Operation cannot be fulfilled on pods \"web\": try again");
  Status one = Status::invalid("", "Pod", "web", {{"spec.a", "FieldValueRequired", "Required value"}});
  CHECK(one.message == "Pod \"web\" is invalid: spec.a: Required value");
  CHECK(http_code(one.reason) == 422);
  Status two =
      Status::invalid("apps", "Deployment", "web",
                      {{"a", "FieldValueRequired", "Required value"}, {"b", "FieldValueRequired", "Required value"}});
  CHECK(two.message == "Deployment.apps \"web\" is invalid: [a: Required value, b: Required value]");
  for (int code : {400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 422, 429, 499, 500, 503, 504, 507}) {
    CHECK(http_code(reason_of_http(code)) == code);
  }
}

static Result<int> half(int v) {
  if (v % 2) return Status(Reason::kInvalid, "odd");
  return v / 2;
}
static Result<int> quarter(int v) {
  LOTSE_TRY(int h, half(v));
  return half(h);
}

TEST_CASE("TRY passes the first complaint on") {
  CHECK(*quarter(12) == 3);
  CHECK(quarter(7).status().message == "odd");
}

static std::string seen;

TEST_CASE("a log line is one line, whatever is in it") {
  log::Field fields[] = {{"n", 42}, {"path", "/var/lib"}, {"text", "a \"b\"\nerror fake.event"}, {"empty", ""}};
  std::string line = log::format_line(log::Level::kInfo, "store.opened", "it is\nopen", fields, 4);
  CHECK(line.substr(23) ==
        "Z info  store.opened n=42 path=/var/lib text=\"a \\\"b\\\"\\nerror fake.event\" empty=\"\"  it is\\nopen");
  std::string huge(100'000, 'x');
  CHECK(log::format_line(log::Level::kInfo, "a.b", huge, nullptr, 0).size() <= 4000);
  log::set_observer([](std::string_view text) { seen = text; });
  log::debug("test.quiet", "not written");
  CHECK(seen.empty());
  log::warn("test.loud", "written", {{"k", true}});
  log::set_observer(nullptr);
  CHECK(seen.find("warn  test.loud k=true  written") != std::string::npos);
}
