#include "core/object/quantity.h"

#include <limits>

namespace lotse {
namespace {

__extension__ typedef __int128 Wide;
constexpr int64_t kMax64 = std::numeric_limits<int64_t>::max();
constexpr Wide kNano = 1'000'000'000;
constexpr Wide kMax = static_cast<Wide>(kMax64) * kNano;  // upstream's limit: no quantity above 2^63-1

Wide clamp(Wide v) {
  return v > kMax ? kMax : v < -kMax ? -kMax : v;
}

struct Suffix {
  std::string_view text;
  int power;
};  // of ten, or of two
constexpr Suffix kDecimal[] = {{"n", -9}, {"u", -6}, {"m", -3}, {"", 0},   {"k", 3},
                               {"M", 6},  {"G", 9},  {"T", 12}, {"P", 15}, {"E", 18}};
constexpr Suffix kBinary[] = {{"Ki", 10}, {"Mi", 20}, {"Gi", 30}, {"Ti", 40}, {"Pi", 50}, {"Ei", 60}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

Status malformed(std::string_view text) {
  return Status(Reason::kInvalid, "\"" + std::string(text.substr(0, 64)) +
                                      "\" is no quantity: a number with an optional suffix "
                                      "(m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or an exponent) is expected");
}

// "e3", "E-3": false if it is none.
bool parse_exponent(std::string_view text, int* power) {
  if (text.size() < 2 || (text[0] != 'e' && text[0] != 'E')) return false;
  size_t i = text[1] == '+' || text[1] == '-' ? 2 : 1;
  if (i == text.size()) return false;
  int n = 0;
  for (; i < text.size(); ++i) {
    if (!is_digit(text[i])) return false;
    n = std::min(n * 10 + (text[i] - '0'), 1000);
  }
  *power = text[1] == '-' ? -n : n;
  return true;
}

std::string to_text(Wide v) {
  if (v < 0) return "-" + to_text(-v);
  std::string out;
  do out.insert(out.begin(), static_cast<char>('0' + static_cast<int>(v % 10)));
  while ((v /= 10) != 0);
  return out;
}

int64_t rounded_up(Wide nanos, Wide unit) {
  Wide v = nanos / unit;
  if (nanos % unit != 0 && nanos > 0) ++v;
  if (nanos % unit != 0 && nanos < 0) --v;  // away from zero, as upstream
  return static_cast<int64_t>(v > kMax64 ? kMax64 : v < -kMax64 ? -kMax64 : v);
}

constexpr size_t kTextMax = 256;  // no quantity that is meant needs as many digits

// Digits with an implied point, exact as long as they fit and saturating after.
struct Digits {
  Wide value = 0;
  int scale = 0;      // value / 10^scale
  bool lost = false;  // digits that did not fit were not zero
  bool saturated = false;
};

// value * 10^power * 2^shift in nanos, rounded away from zero.
Wide scaled(Digits d, int power, int shift) {
  power += 9 - d.scale;
  Wide v = d.value;
  bool rest = d.lost;
  constexpr Wide kRoom = kMax << 2;
  if (d.saturated && v != 0) return kMax;
  // The binary factor first, while it is exact: 2^60 * 10^k may not fit, then the answer is the limit anyway.
  for (; shift > 0; --shift) {
    if (v > kRoom) {
      if (power >= 0) return kMax;
      rest |= v % 10 != 0;
      v /= 10, ++power;
    }
    v *= 2;
  }
  for (; power > 0; --power) {
    if (v == 0) return 0;
    v *= 10;
    if (v > kMax) return kMax;
  }
  for (; power < 0; ++power) {
    rest |= v % 10 != 0;
    v /= 10;
    if (v == 0) break;
  }
  return clamp(v + (rest ? 1 : 0));
}

}  // namespace

Result<Quantity> Quantity::parse(std::string_view text) {
  if (text.size() > kTextMax) return malformed(text.substr(0, 40));
  size_t i = 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) ++i;
  Digits digits;
  bool any = false, point = false;
  for (; i < text.size() && (is_digit(text[i]) || text[i] == '.'); ++i) {
    if (text[i] == '.') {
      if (point) return malformed(text);
      point = true;
      continue;
    }
    any = true;
    if (digits.value > kMax) {
      if (point)
        digits.lost |= text[i] != '0';
      else
        digits.saturated = true;
      continue;
    }
    digits.value = digits.value * 10 + (text[i] - '0');
    digits.scale += point;
  }
  if (!any) return malformed(text);
  const std::string_view suffix = text.substr(i);
  Quantity q;
  int power = 0, shift = 0;
  bool known = false;
  for (const Suffix& s : kDecimal) {
    if (suffix == s.text) power = s.power, known = true;
  }
  for (const Suffix& s : kBinary) {
    if (suffix == s.text) shift = s.power, known = true, q.format_ = Format::kBinarySI;
  }
  if (!known) {
    if (!parse_exponent(suffix, &power)) return malformed(text);
    q.format_ = Format::kDecimalExponent;
  }
  const Wide nanos = scaled(digits, power, shift);
  q.nanos_ = negative ? -nanos : nanos;
  return q;
}

int64_t Quantity::value() const {
  return rounded_up(nanos_, kNano);
}
int64_t Quantity::milli() const {
  return rounded_up(nanos_, kNano / 1000);
}

std::string Quantity::canonical() const {
  if (nanos_ == 0) return "0";
  const Wide kilo = 1024 * kNano;
  if (format_ == Format::kBinarySI && (nanos_ <= -kilo || nanos_ >= kilo)) {
    Wide v = rounded_up(nanos_, kNano);
    std::string_view suffix;
    for (const Suffix& s : kBinary) {
      if (v % 1024 != 0) break;
      v /= 1024, suffix = s.text;
    }
    return to_text(v) + std::string(suffix);
  }
  Wide v = nanos_;
  size_t i = 0;
  while (v % 1000 == 0 && i + 1 < std::size(kDecimal)) v /= 1000, ++i;
  const Suffix& s = kDecimal[i];
  if (format_ != Format::kDecimalExponent) return to_text(v) + std::string(s.text);
  return to_text(v) + (s.power == 0 ? "" : "e" + std::to_string(s.power));
}

int Quantity::compare(const Quantity& o) const {
  return nanos_ < o.nanos_ ? -1 : nanos_ > o.nanos_ ? 1 : 0;
}

Quantity Quantity::operator+(const Quantity& o) const {
  Quantity q = *this;
  if (nanos_ == 0) q.format_ = o.format_;
  q.nanos_ = clamp(nanos_ + o.nanos_);
  return q;
}
Quantity Quantity::operator-(const Quantity& o) const {
  Quantity q = *this;
  if (nanos_ == 0) q.format_ = o.format_;
  q.nanos_ = clamp(nanos_ - o.nanos_);
  return q;
}

}  // namespace lotse
