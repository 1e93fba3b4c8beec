#include "core/config/values.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

namespace lotse::config {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};
constexpr Unit kDurations[] = {{"ns", 1},
                               {"us", 1'000},
                               {"µs", 1'000},
                               {"ms", 1'000'000},
                               {"s", 1'000'000'000},
                               {"m", 60'000'000'000},
                               {"h", 3'600'000'000'000}};
constexpr int64_t kKi = 1024;
constexpr Unit kSizes[] = {{"", 1},
                           {"B", 1},
                           {"k", 1000},
                           {"kB", 1000},
                           {"KB", 1000},
                           {"M", 1000'000},
                           {"MB", 1000'000},
                           {"G", 1000'000'000},
                           {"GB", 1000'000'000},
                           {"T", 1000'000'000'000},
                           {"TB", 1000'000'000'000},
                           {"Ki", kKi},
                           {"KiB", kKi},
                           {"Mi", kKi* kKi},
                           {"MiB", kKi* kKi},
                           {"Gi", kKi* kKi* kKi},
                           {"GiB", kKi* kKi* kKi},
                           {"Ti", kKi* kKi* kKi* kKi},
                           {"TiB", kKi* kKi* kKi* kKi}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// A number, perhaps with a fraction, and its unit, from the front of *text. False: not of that form, or too large.
bool take_amount(std::string_view* text, std::span<const Unit> units, int64_t* out) {
  size_t digits = 0;
  while (digits < text->size() && is_digit((*text)[digits])) digits++;
  if (digits == 0 || digits > 19) return false;
  uint64_t whole = 0;
  if (std::from_chars(text->data(), text->data() + digits, whole).ec != std::errc()) return false;
  text->remove_prefix(digits);
  long double fraction = 0, scale = 0.1L;
  if (!text->empty() && text->front() == '.') {
    text->remove_prefix(1);
    if (text->empty() || !is_digit(text->front())) return false;
    while (!text->empty() && is_digit(text->front())) {
      fraction += scale * (text->front() - '0');
      scale /= 10;
      text->remove_prefix(1);
    }
  }
  size_t length = 0;
  while (length < text->size() && !is_digit((*text)[length])) length++;
  std::string_view name = text->substr(0, length);
  text->remove_prefix(length);
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    int64_t product;
    if (__builtin_mul_overflow(whole, unit.factor, &product)) return false;
    return !__builtin_add_overflow(product, int64_t(fraction * unit.factor + 0.5L), out);
  }
  return false;
}

bool read_address(const std::string& text, Cidr* out) {
  out->ipv6 = text.find(':') != std::string::npos;
  return ::inet_pton(out->ipv6 ? AF_INET6 : AF_INET, text.c_str(), out->bytes.data()) == 1;
}

}  // namespace

Result<int64_t> parse_duration(std::string_view text) {
  auto wrong = [] { return Status(Reason::kInvalid, "is no duration such as 250ms, 10s or 1h30m"); };
  if (text == "0") return int64_t(0);
  if (text.empty()) return wrong();
  int64_t sum = 0;
  while (!text.empty()) {
    int64_t part = 0;
    if (!take_amount(&text, kDurations, &part) || __builtin_add_overflow(sum, part, &sum)) return wrong();
  }
  return sum;
}

Result<int64_t> parse_size(std::string_view text) {
  int64_t bytes = 0;
  if (!take_amount(&text, kSizes, &bytes) || !text.empty()) {
    return Status(Reason::kInvalid, "is no size such as 64MiB, 10GB or 4096");
  }
  return bytes;
}

std::string format_duration(int64_t nanoseconds) {
  if (nanoseconds == 0) return "0s";
  std::string out;
  int64_t left = nanoseconds;
  for (const Unit& unit : {kDurations[6], kDurations[5], kDurations[4], kDurations[3], kDurations[1], kDurations[0]}) {
    if (left / unit.factor == 0) continue;
    out += fmt::format("{}{}", left / unit.factor, unit.name);
    left %= unit.factor;
  }
  return out;
}

std::string format_size(int64_t bytes) {
  static constexpr std::string_view kNames[] = {"", "KiB", "MiB", "GiB", "TiB"};
  size_t step = 0;
  while (bytes != 0 && bytes % kKi == 0 && step < 4) bytes /= kKi, step++;
  return fmt::format("{}{}", bytes, kNames[step]);
}

Result<Cidr> parse_cidr(std::string_view text) {
  auto wrong = [] { return Status(Reason::kInvalid, "is no network such as 10.0.0.0/8"); };
  size_t slash = text.find('/');
  Cidr cidr;
  if (slash == std::string_view::npos || slash > 64 || !read_address(std::string(text.substr(0, slash)), &cidr))
    return wrong();
  std::string_view digits = text.substr(slash + 1);
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), cidr.prefix);
  int bits = cidr.ipv6 ? 128 : 32;
  if (error != std::errc() || end != digits.data() + digits.size() || cidr.prefix < 0 || cidr.prefix > bits)
    return wrong();
  for (int bit = cidr.prefix; bit < bits; bit++) {
    if (cidr.bytes[size_t(bit / 8)] >> (7 - bit % 8) & 1) {
      return Status(Reason::kInvalid, "has bits set behind its prefix, so it is an address and no network");
    }
  }
  return cidr;
}

bool is_ip(std::string_view text) {
  Cidr unused;
  return text.size() <= 64 && read_address(std::string(text), &unused);
}

Status check_host_port(std::string_view text) {
  Status wrong(Reason::kInvalid, "is no address with a port such as 0.0.0.0:6443");
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  else if (host.find(':') != std::string_view::npos)
    return wrong;
  int number = 0;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number < 1 || number > 65535 || !is_ip(host))
    return wrong;
  return {};
}

}  // namespace lotse::config
