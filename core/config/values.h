// The texts inside of values: durations, sizes, networks, addresses. Each either reads the whole text or says in a
// sentence fragment ("is no duration such as 1h30m") why not.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace lotse::config {

Result<int64_t> parse_duration(std::string_view text);  // "1h30m", "250ms", "1.5s" -> nanoseconds, not negative
Result<int64_t> parse_size(std::string_view text);      // "64MiB", "1.5GB", "512Mi", "1000" -> bytes
std::string format_duration(int64_t nanoseconds);       // "1h30m"
std::string format_size(int64_t bytes);                 // "64MiB"

struct Cidr {
  bool ipv6 = false;
  std::array<uint8_t, 16> bytes{};  // the first four for IPv4
  int prefix = 0;
};
// "10.0.0.0/8": the bits behind the prefix must be zero.
Result<Cidr> parse_cidr(std::string_view text);
bool is_ip(std::string_view text);
// "0.0.0.0:6443", "[::]:6443"; a port of 0 is refused.
Status check_host_port(std::string_view text);

}  // namespace lotse::config
