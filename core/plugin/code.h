// The ABI's codes as Statuses, and back.
#pragma once
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/status.h"
#include "lotse/abi/types.h"

namespace lotse::plugin {

inline std::string_view view(lotse_bytes b) {
  return {static_cast<const char*>(b.data), b.size};
}
inline lotse_bytes bytes(std::string_view text) {
  return {text.data(), text.size()};
}

Status status_of(int32_t code, std::string_view sentence);
Status status_of(const lotse_error& error);  // an error without a sentence gets one
int32_t code_of(const Status& status);
// Fills an error of the caller's, which may be NULL or smaller than ours; returns its code.
int32_t tell(lotse_error* error, const Status& status);
inline lotse_error make_error() {
  return {sizeof(lotse_error), LOTSE_OK, {}};
}

}  // namespace lotse::plugin
