// The head of a response, and the framing of bodies whose length is not known beforehand.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lotse::transport_rest {

using Headers = std::vector<std::pair<std::string, std::string>>;

enum class Length { kKnown, kChunked, kUntilClose, kNone /* 1xx, 204, 304 and upgrades */ };

struct ResponseHead {
  uint32_t status = 200;
  std::string_view content_type;
  const Headers* headers = nullptr;
  Length length = Length::kKnown;
  uint64_t content_length = 0;
  bool gzip = false;
  bool close = false;
  bool http11 = true;
};

// With a Date. Header names and values of the host that hold a line end are left out.
std::string make_head(const ResponseHead& head);
std::string_view status_text(uint32_t status);
void append_chunk(std::string& out, std::string_view data);  // nothing for empty data, which would end the body
constexpr std::string_view kLastChunk = "0\r\n\r\n";
const std::string* find_header(const Headers& headers, std::string_view name);

}  // namespace lotse::transport_rest
