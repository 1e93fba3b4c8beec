#include "core/control/addresses.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace lotse::control {
namespace {
__extension__ typedef unsigned __int128 Wide;
// Adds n << shift to a number of 16 bytes.
void add(std::array<uint8_t, 16>* number, uint64_t n, int shift) {
  Wide value = 0;
  for (uint8_t b : *number) value = value << 8 | b;
  value += static_cast<Wide>(n) << shift;
  for (int i = 15; i >= 0; --i, value >>= 8) (*number)[static_cast<size_t>(i)] = static_cast<uint8_t>(value);
}

std::string text(const std::array<uint8_t, 16>& number, bool v6) {
  char out[INET6_ADDRSTRLEN];
  inet_ntop(v6 ? AF_INET6 : AF_INET, number.data() + (v6 ? 0 : 12), out, sizeof out);
  return out;
}
}  // namespace

std::optional<Range> Range::parse(std::string_view in) {
  size_t slash = in.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  Range r;
  std::string address(in.substr(0, slash));
  r.v6 = is_v6(address);
  if (inet_pton(r.v6 ? AF_INET6 : AF_INET, address.c_str(), r.first.data() + (r.v6 ? 0 : 12)) != 1) return std::nullopt;
  std::string_view bits = in.substr(slash + 1);
  if (std::from_chars(bits.data(), bits.data() + bits.size(), r.bits).ec != std::errc()) return std::nullopt;
  if (r.bits < 0 || r.bits > (r.v6 ? 128 : 32)) return std::nullopt;
  return r;
}

std::string Range::address(uint64_t n) const {
  auto number = first;
  add(&number, n, 0);
  return text(number, v6);
}

std::optional<std::string> Range::part(uint64_t n, int part_bits) const {
  const int room = part_bits - bits;
  if (room < 0 || (room < 64 && n >> room != 0)) return std::nullopt;
  auto number = first;
  add(&number, n, (v6 ? 128 : 32) - part_bits);
  return text(number, v6) + "/" + std::to_string(part_bits);
}

}  // namespace lotse::control
