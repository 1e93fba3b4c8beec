#include "core/object/quantity.h"

#include <catch2/catch.hpp>

using namespace lotse;

static std::string canonical(std::string_view text) {
  auto q = Quantity::parse(text);
  return q.ok() ? q->canonical() : "refused";
}

TEST_CASE("quantities have one canonical form") {
  const std::pair<std::string_view, std::string_view> cases[] = {{"0", "0"},
                                                                 {"0Ki", "0"},
                                                                 {"1", "1"},
                                                                 {"1000m", "1"},
                                                                 {"1500m", "1500m"},
                                                                 {"1.5", "1500m"},
                                                                 {"0.5Gi", "512Mi"},
                                                                 {"1.5Gi", "1536Mi"},
                                                                 {"1024Mi", "1Gi"},
                                                                 {"1000", "1k"},
                                                                 {"1000k", "1M"},
                                                                 {"2e3", "2e3"},
                                                                 {"2E3", "2e3"},
                                                                 {"20e3", "20e3"},
                                                                 {"1e-3", "1e-3"},
                                                                 {"100n", "100n"},
                                                                 {"0.1n", "1n"},
                                                                 {"-0.1n", "-1n"},
                                                                 {"+5", "5"},
                                                                 {"-5", "-5"},
                                                                 {".5", "500m"},
                                                                 {"5.", "5"},
                                                                 {"100u", "100u"},
                                                                 {"512Ki", "512Ki"},
                                                                 {"512", "512"},
                                                                 {"1023Ki", "1023Ki"},
                                                                 {"0.5Ki", "512"},
                                                                 {"1Ei", "1Ei"},
                                                                 {"1E", "1E"},
                                                                 {"100000000000000000000", "9223372036854775807"},
                                                                 {"10Ei", "9223372036854775807"},
                                                                 {"0.0000000001", "1n"},
                                                                 {"128974848", "128974848"},
                                                                 {"129e6", "129e6"},
                                                                 {"123Mi", "123Mi"}};
  for (auto& [text, want] : cases) {
    INFO(text);
    CHECK(canonical(text) == want);
  }
  for (std::string_view bad :
       {"", " ", "x", "1x", "1 ", " 1", "1ki", "1K", "1e", "1ee3", "1.2.3", "--1", "m", ".", "1Kim", "1e3k", "0x1"}) {
    INFO(bad);
    CHECK(canonical(bad) == "refused");
  }
}

TEST_CASE("quantities count and compare exactly") {
  const auto q = [](std::string_view t) { return *Quantity::parse(t); };
  CHECK(q("1.1").value() == 2);
  CHECK(q("1100m").milli() == 1100);
  CHECK(q("0.1m").milli() == 1);
  CHECK(q("1Gi").value() == 1073741824);
  CHECK(q("100m").compare(q("0.1")) == 0);
  CHECK(q("1Ki").compare(q("1k")) == 1);
  CHECK((q("500m") + q("1")).canonical() == "1500m");
  CHECK((q("1Gi") - q("512Mi")).canonical() == "512Mi");
  CHECK((q("8Ei") + q("8Ei")).value() == INT64_MAX);
  CHECK((q("0") - q("1")).negative());
  CHECK(q("0m").is_zero());
}
