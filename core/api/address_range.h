// A range of addresses (a service CIDR), and addresses in it. Pure arithmetic.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace lotse::api {

class AddressRange {
 public:
  static Result<AddressRange> parse(std::string_view cidr);
  std::string_view family() const { return v6_ ? "IPv6" : "IPv4"; }
  // How many addresses there are for services: without the network's own and, for IPv4, the broadcast address. At most 2^20 are used of one range.
  uint64_t size() const { return size_; }
  std::string at(uint64_t offset) const;              // 0: the first usable
  bool contains(std::string_view address) const;
  const std::string& text() const { return text_; }
  // Offsets below are kept for addresses that somebody asks for; those given out start here (upstream's static band).
  uint64_t dynamic_start() const;

 private:
  std::string text_;
  std::array<uint8_t, 16> base_{};
  int bits_ = 0;
  bool v6_ = false;
  uint64_t size_ = 0;
};

std::string_view family_of(std::string_view address);             // "IPv4", "IPv6" or ""
std::string canonical_address(std::string_view address);          // "" if it is none

}  // namespace lotse::api
