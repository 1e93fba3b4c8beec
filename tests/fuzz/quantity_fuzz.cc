// A quantity's canonical form is the same quantity, and its own canonical form.
#include <cstdlib>

#include "core/object/quantity.h"

using lotse::Quantity;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto q = Quantity::parse({reinterpret_cast<const char*>(data), size});
  if (!q.ok()) return 0;
  auto again = Quantity::parse(q->canonical());
  if (!again.ok() || again->canonical() != q->canonical() || again->value() != q->value()) std::abort();
  return 0;
}
