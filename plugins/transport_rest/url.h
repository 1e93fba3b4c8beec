// The target of a request line, taken apart: the decoded path and the query parameters in the order they came.
//
// Strict where Go's net/url is lenient: a bad percent escape, a NUL, bytes that are not UTF-8 and path segments "." and
// ".." (also escaped) are refused, as nothing that Kubernetes names contains them.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugins/transport_rest/refusal.h"

namespace lotse::transport_rest {

constexpr size_t kQueryParametersMax = 1024;

struct Target {
  std::string path;  // decoded, begins with '/'
  std::vector<std::pair<std::string, std::string>> query;  // decoded; names may repeat
  // The first value of a parameter; nullptr if it does not occur.
  const std::string* find(std::string_view name) const;
};

std::optional<Refusal> parse_target(std::string_view text, Target& out);

}  // namespace lotse::transport_rest
