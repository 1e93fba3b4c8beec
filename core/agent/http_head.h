// The head of an HTTP/1.1 answer, put together from pieces and read: what probes and the proxy need of HTTP beside
// writing a request. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lotse::agent {

bool same_word(std::string_view a, std::string_view b);  // whatever their case
bool one_line(std::string_view text);                    // nothing that would begin another header

class HttpHead {
 public:
  enum class State : uint8_t { kMore, kDone, kMalformed, kTooLong };
  // Takes a piece; once it is done what came behind the head goes to *rest.
  State add(std::string_view data, std::string* rest);
  int status() const { return status_; }
  const std::vector<std::pair<std::string, std::string>>& headers() const { return headers_; }
  std::string_view header(std::string_view name) const;  // the first of that name; empty: none
  std::optional<uint64_t> content_length() const;
  bool chunked() const;

 private:
  bool read();
  std::string text_;
  int status_ = 0;
  std::vector<std::pair<std::string, std::string>> headers_;
};

}  // namespace lotse::agent
