#include "core/object/selector.h"

#include <catch2/catch.hpp>

using namespace lotse;

static bool selects(std::string_view selector, const Labels& labels) {
  auto s = LabelSelector::parse(selector);
  INFO(selector << ": " << s.status().message);
  REQUIRE(s.ok());
  auto again = LabelSelector::parse(s->text());
  REQUIRE(again.ok());
  REQUIRE(again->matches(labels) == s->matches(labels));
  return s->matches(labels);
}

TEST_CASE("label selectors select") {
  const Labels labels = {{"app", "web"}, {"n", "5"}, {"tier", ""}};
  for (std::string_view yes :
       {"", "app=web", "app==web", " app = web , n=5", "app in (a, web)", "app notin (a,b)", "!x", "app", "x!=1", "n>4",
        "n<6", "tier=", "tier in (,x)", "x notin (a)", "app=web,app!=db"}) {
    INFO(yes);
    CHECK(selects(yes, labels));
  }
  for (std::string_view no :
       {"app=db", "app!=web", "app in (a)", "app notin (web)", "!app", "x", "x=1", "n>5", "app>1", "app=web,x"}) {
    INFO(no);
    CHECK_FALSE(selects(no, labels));
  }
  for (std::string_view bad : {"=", "a=b=c", "a in", "a in (b", "a,,b", "a=b,", "!a=b", "-a", "a/b/c", "a=-b", "n>x",
                               "a b", "A/b=c", "a in (b c)"}) {
    INFO(bad);
    CHECK_FALSE(LabelSelector::parse(bad).ok());
  }
}

TEST_CASE("a LabelSelector object: null selects nothing, {} everything") {
  const auto from = [](std::string_view text) { return *LabelSelector::from_value(*json::parse(text)); };
  CHECK_FALSE(from("null").matches({}));
  CHECK(from("{}").matches({{"a", "b"}}));
  auto s = from(
      R"({"matchLabels":{"a":"1"},"matchExpressions":[{"key":"b","operator":"In","values":["y","x"]},{"key":"c","operator":"DoesNotExist"}]})");
  CHECK(s.text() == "a=1,b in (x,y),!c");
  CHECK(s.matches({{"a", "1"}, {"b", "x"}}));
  CHECK_FALSE(s.matches({{"a", "1"}, {"b", "x"}, {"c", ""}}));
  CHECK_FALSE(LabelSelector::from_value(*json::parse(R"({"matchExpressions":[{"key":"b","operator":"In"}]})")).ok());
  CHECK_FALSE(LabelSelector::from_value(*json::parse(R"({"matchExpressions":[{"key":"b","operator":"Like"}]})")).ok());
  CHECK(LabelSelector::from_map(*json::parse(R"({"a":"1"})")).matches({{"a", "1"}}));
}

TEST_CASE("field selectors read header and document") {
  auto pod = Object::from_value(
      *json::parse(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"n"},"spec":{"nodeName":"n1"},
    "status":{"phase":"Running","x":"a,b=c\\"}})"),
      0);
  const auto selects = [&](std::string_view text) {
    auto s = FieldSelector::parse(text);
    INFO(text);
    REQUIRE(s.ok());
    return s->matches(*pod);
  };
  CHECK(selects(""));
  CHECK(selects("metadata.name=a,metadata.namespace==n,spec.nodeName!=n2,status.phase=Running"));
  CHECK(selects("spec.hostNetwork=false,spec.schedulerName="));
  CHECK(selects(R"(status.x=a\,b\=c\\)"));
  CHECK_FALSE(selects("metadata.name!=a"));
  CHECK_FALSE(selects("status.phase=Pending"));
  for (std::string_view bad : {"a", "a!b", "a=b=c", "a=\\x", "a=\\"}) CHECK_FALSE(FieldSelector::parse(bad).ok());
}
