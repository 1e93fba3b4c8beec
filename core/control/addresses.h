// Addresses and ranges of both families, as numbers.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lotse::control {

struct Range {
  std::array<uint8_t, 16> first{};  // IPv4: the last four bytes
  int bits = 0;                     // of the prefix, of 32 or 128
  bool v6 = false;
  static std::optional<Range> parse(std::string_view text);  // "10.96.0.0/16"
  // The nth address: 1 is the first that a host may have.
  std::string address(uint64_t n) const;
  // The nth part with a longer prefix, as text; nothing beyond the end.
  std::optional<std::string> part(uint64_t n, int part_bits) const;
};

inline bool is_v6(std::string_view address) {
  return address.find(':') != std::string_view::npos;
}

}  // namespace lotse::control
