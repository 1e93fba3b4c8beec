// What parses as YAML can be written as JSON and parses as that.
#include <cstdlib>

#include "core/object/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto value = lotse::json::parse_yaml({reinterpret_cast<const char*>(data), size});
  if (value.ok() && !lotse::json::parse(lotse::json::write(*value)).ok()) std::abort();
  return 0;
}
