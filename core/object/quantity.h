// resource.Quantity: "100m", "1.5Gi", "2e3". Exact decimal arithmetic, as in Kubernetes' apimachinery.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace lotse {

class Quantity {
 public:
  static Result<Quantity> parse(std::string_view text);
  int64_t value() const;  // in whole units, rounded up, saturating
  int64_t milli() const;  // in thousandths, rounded up, saturating
  std::string canonical() const;  // "1500m" stays, "1000m" becomes "1"
  int compare(const Quantity& other) const;
  bool negative() const { return nanos_ < 0; }
  bool is_zero() const { return nanos_ == 0; }
  Quantity operator+(const Quantity& o) const;
  Quantity operator-(const Quantity& o) const;

 private:
  __extension__ typedef __int128 Wide;
  Wide nanos_ = 0;  // billionths, saturating
  enum class Format : uint8_t { kDecimalSI, kBinarySI, kDecimalExponent } format_ = Format::kDecimalSI;
};

}  // namespace lotse
