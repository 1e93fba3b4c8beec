#include "plugins/runtime_hollow/script.h"

#include <catch2/catch.hpp>

#include "lotse/error.hpp"

using lotse::runtime_hollow::Rule;
using lotse::runtime_hollow::Script;

TEST_CASE("without a script everything runs at once and for ever") {
  Rule rule = Script::parse("").find("default", "web", "main");
  CHECK(rule.start_delay_ms == 0);
  CHECK(rule.exit_after_ms == -1);
  CHECK(rule.ready);
}

TEST_CASE("the first rule that fits counts") {
  Script script = Script::parse(
      "# pods that crash\n"
      "{\"pod\": \"crash-*\", \"container\": \"main\", \"exit_after_ms\": 500, \"exit_code\": 3}\n"
      "\n"
      "{\"namespace\": \"slow\", \"start_delay_ms\": 100, \"ready\": false}\n");
  CHECK(script.find("slow", "crash-1", "main").exit_code == 3);
  CHECK(script.find("slow", "crash-1", "main").start_delay_ms == 0);
  CHECK(script.find("slow", "crash-1", "side").start_delay_ms == 100);
  CHECK_FALSE(script.find("slow", "web", "main").ready);
  CHECK(script.find("fast", "web", "main").ready);
}

TEST_CASE("a script that is wrong is refused with its line") {
  auto complaint = [](const char* text) -> std::string {
    try {
      Script::parse(text);
    } catch (const lotse::sdk::Failure& failure) {
      return failure.what();
    }
    return "";
  };
  CHECK(complaint("{}\n{\"exit_after\": 1}\n") == "the script's line 2 has an unknown key \"exit_after\"");
  CHECK(complaint("{\"exit_code\": \"one\"}") == "the script's line 1 must have a number from 0 for \"exit_code\"");
  CHECK(complaint("\n\nno json") == "the script's line 3 is no JSON object");
}
