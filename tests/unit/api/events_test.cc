#include "core/api/events.h"

#include <catch2/catch.hpp>

namespace lotse::api {
namespace {
using namespace std::chrono_literals;

json::Value said(const std::string& message, const std::string& pod = "p") {
  json::Value v = json::Value::object({{"type", "Normal"}, {"reason", "Pulled"}, {"message", message}});
  v.set("involvedObject", json::Value::object({{"kind", "Pod"}, {"namespace", "default"}, {"name", pod}, {"uid", pod}}));
  return v;
}
const WallTime kStart{1767225600s};
}  // namespace

TEST_CASE("what is said again raises a count") {
  EventRecorder r("kubelet", "n1");
  auto first = r.record(said("hello"), kStart);
  REQUIRE(first);
  CHECK(first->create);
  CHECK(first->name.starts_with("p."));
  CHECK(first->body["count"].integer() == 1);
  CHECK(first->body["source"]["host"].str() == "n1");
  auto second = r.record(said("hello"), kStart + 5s);
  REQUIRE(second);
  CHECK_FALSE(second->create);
  CHECK(second->name == first->name);
  CHECK(json::write(second->body) == R"({"count":2,"lastTimestamp":"2026-01-01T00:00:05Z"})");
}

TEST_CASE("an event that has ended meanwhile is made anew") {
  EventRecorder r("kubelet");
  auto first = r.record(said("hello"), kStart);
  r.forget(first->key);
  CHECK(r.record(said("hello"), kStart)->create);
}

TEST_CASE("ten ways to say the same thing become one event") {
  EventRecorder r("kubelet");
  for (int i = 0; i < 9; ++i) CHECK(r.record(said("try " + std::to_string(i)), kStart)->create);
  auto tenth = r.record(said("try 9"), kStart);
  CHECK(tenth->create);
  CHECK(tenth->body["message"].str() == "(combined from similar events): try 9");
  auto eleventh = r.record(said("try 10"), kStart);
  CHECK_FALSE(eleventh->create);
  CHECK(eleventh->body["message"].str() == "(combined from similar events): try 10");
}

TEST_CASE("an object may say 25 things at once and one every five minutes after that; others are not held up") {
  EventRecorder r("kubelet");
  for (int i = 0; i < 25; ++i) CHECK(r.record(said("hello"), kStart));
  CHECK_FALSE(r.record(said("hello"), kStart));
  CHECK(r.record(said("hello", "other"), kStart));
  CHECK_FALSE(r.record(said("hello"), kStart + 299s));
  CHECK(r.record(said("hello"), kStart + 301s));
}

}  // namespace lotse::api
