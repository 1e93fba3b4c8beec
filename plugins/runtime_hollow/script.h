// What hollow containers do: rules, the first that fits a container counts.
//
// The file has one JSON object a line (RFC 8259; # and empty lines are skipped):
//   {"namespace": "load*", "pod": "web-*", "container": "main",     which containers; * at the end fits any rest
//    "start_delay_ms": 100,      how long container_start takes
//    "start_error": "no such program",
//    "exit_after_ms": 500, "exit_code": 1, "reason": "Error",        it runs for ever without exit_after_ms
//    "ready": false,             exec_sync and exec end with 1
//    "stdout": "text"}           what they write
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lotse::runtime_hollow {

struct Rule {
  std::string name_space = "*", pod = "*", container = "*";
  int64_t start_delay_ms = 0;
  std::string start_error;
  int64_t exit_after_ms = -1;
  int exit_code = 0;
  std::string reason;
  bool ready = true;
  std::string out;
};

class Script {
 public:
  // Throws sdk::Failure(LOTSE_INVALID) with the number of the line.
  static Script parse(std::string_view text);
  // Always gives one: without a rule that fits, what runs at once and for ever.
  Rule find(std::string_view name_space, std::string_view pod, std::string_view container) const;

 private:
  std::vector<Rule> rules_;
};

}  // namespace lotse::runtime_hollow
