#include <catch2/catch.hpp>

#include "core/agent/pod_status.h"

using namespace lotse;

TEST_CASE("a condition that becomes true loses the reason why it was not") {
  auto pod = *json::parse(R"({"metadata":{"uid":"1"},"status":{"conditions":[{"type":"Ready","status":"False","reason":"ContainersNotReady","message":"m"}]}})");
  auto status = *json::parse(R"({"conditions":[{"type":"Ready","status":"True"}]})");
  const json::Value patch = agent::status_patch(pod, status);
  const json::Value& condition = patch["status"]["conditions"].at(0);
  REQUIRE(condition.find("reason"));
  CHECK(condition["reason"].is_null());
  CHECK(condition.find("message"));
  CHECK(condition["status"].str() == "True");
}
