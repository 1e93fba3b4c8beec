#include "core/api/revision.h"

#include <charconv>

#include "core/api/server_impl.h"

namespace lotse::api {

Result<uint64_t> parse_revision(std::string_view text) {
  if (text.empty()) return uint64_t{0};
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  return Status(Reason::kBadRequest, "Invalid value: \"" + std::string(text.substr(0, 64)) + "\": resourceVersion must be a number");
}

Status check_reached(ServerImpl& server, uint64_t revision) {
  const uint64_t current = server.store().revision();
  if (revision <= current) return {};
  Status status(Reason::kTimeout, "Too large resource version: " + std::to_string(revision) + ", current: " + std::to_string(current));
  status.causes.push_back({"", "ResourceVersionTooLarge", "Too large resource version"});
  status.retry_after_s = 1;
  return status;
}

}  // namespace lotse::api
