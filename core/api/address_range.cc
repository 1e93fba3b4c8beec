#include "core/api/address_range.h"

#include <arpa/inet.h>

#include <charconv>

namespace lotse::api {
namespace {

constexpr uint64_t kUsedMax = uint64_t{1} << 20;

bool read(std::string_view text, std::array<uint8_t, 16>* out, bool* v6) {
  const std::string s(text);
  *v6 = s.find(':') != std::string::npos;
  return inet_pton(*v6 ? AF_INET6 : AF_INET, s.c_str(), out->data()) == 1;
}

std::string write(const std::array<uint8_t, 16>& bytes, bool v6) {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), text, sizeof(text)) ? text : "";
}

}  // namespace

Result<AddressRange> AddressRange::parse(std::string_view cidr) {
  AddressRange r;
  const Status bad(Reason::kBadRequest, "\"" + std::string(cidr) + "\" is no address range such as 10.96.0.0/16");
  const size_t slash = cidr.find('/');
  if (slash == std::string_view::npos || !read(cidr.substr(0, slash), &r.base_, &r.v6_)) return bad;
  const std::string_view bits = cidr.substr(slash + 1);
  const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), r.bits_);
  const int width = r.v6_ ? 128 : 32;
  if (error != std::errc() || end != bits.data() + bits.size() || r.bits_ < 0 || r.bits_ > width - 2) return bad;
  for (int bit = r.bits_; bit < width; ++bit) r.base_[static_cast<size_t>(bit / 8)] &= static_cast<uint8_t>(~(0x80 >> (bit % 8)));
  const int host = width - r.bits_;
  const uint64_t all = host >= 21 ? kUsedMax + 2 : uint64_t{1} << host;
  r.size_ = std::min(kUsedMax, all - (r.v6_ ? 1 : 2));
  r.text_ = write(r.base_, r.v6_) + "/" + std::to_string(r.bits_);
  return r;
}

std::string AddressRange::at(uint64_t offset) const {
  auto bytes = base_;
  uint64_t carry = offset + 1;
  for (size_t i = v6_ ? 16 : 4; i-- > 0 && carry > 0;) {
    carry += bytes[i];
    bytes[i] = static_cast<uint8_t>(carry & 0xff);
    carry >>= 8;
  }
  return write(bytes, v6_);
}

bool AddressRange::contains(std::string_view address) const {
  std::array<uint8_t, 16> bytes{};
  bool v6 = false;
  if (!read(address, &bytes, &v6) || v6 != v6_) return false;
  for (int bit = 0; bit < bits_; ++bit) {
    const auto mask = static_cast<uint8_t>(0x80 >> (bit % 8));
    if ((bytes[static_cast<size_t>(bit / 8)] & mask) != (base_[static_cast<size_t>(bit / 8)] & mask)) return false;
  }
  return bytes != base_;
}

uint64_t AddressRange::dynamic_start() const {
  const uint64_t band = std::clamp<uint64_t>(size_ / 16, 16, 256);
  return size_ > band ? band : 0;
}

std::string_view family_of(std::string_view address) {
  std::array<uint8_t, 16> bytes{};
  bool v6 = false;
  if (!read(address, &bytes, &v6)) return "";
  return v6 ? "IPv6" : "IPv4";
}

std::string canonical_address(std::string_view address) {
  std::array<uint8_t, 16> bytes{};
  bool v6 = false;
  return read(address, &bytes, &v6) ? write(bytes, v6) : "";
}

}  // namespace lotse::api
