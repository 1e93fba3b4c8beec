// A refusal: what the transport itself says no to (limits, malformed requests, methods), before or instead of the host.
// On the wire it is a Kubernetes Status object, so that clients read it as they read any other error.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace lotse::transport_rest {

struct Refusal {
  uint32_t status = 400;
  std::string message;
  std::string allow = {};  // 405: what would be accepted
};

// The StatusReason that belongs to an HTTP code (API conventions, "Response Status Kind"); "" where there is none.
std::string_view reason_of(uint32_t status);
// The Status object as JSON.
std::string status_json(const Refusal& refusal);
// Appends text as the inside of a JSON string. Bytes that are not UTF-8 become U+FFFD.
void append_json_text(std::string& out, std::string_view text);

}  // namespace lotse::transport_rest
