// Runs one case in a process of its own.
#pragma once

#include <string>
#include <vector>

#include "sdk/conformance/check.h"

namespace lotse::check {

enum class Result { kSuccess, kFailed, kCrashed, kSkipped };
struct Report {
  Result result = Result::kSuccess;
  std::string why;
  std::vector<std::string> warnings;
  double seconds = 0;
};

struct Options {
  std::string plugin;
  std::string config;  // the file's text
  uint64_t seed = 1;
  bool verbose = false;
};

Report run_case(const Options& options, const Case& c);
// The kinds that the plugin has a factory for, found out in a process of its own; `why` if it cannot be used.
std::vector<std::string> find_kinds(const Options& options, std::string& why);

}  // namespace lotse::check
