#include "core/agent/http_head.h"

#include <charconv>

namespace lotse::agent {
namespace {

constexpr size_t kHeadMax = 64 * 1024;

}  // namespace

bool same_word(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

bool one_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

HttpHead::State HttpHead::add(std::string_view data, std::string* rest) {
  text_.append(data);
  auto end = text_.find("\r\n\r\n");
  if (end == std::string::npos) return text_.size() > kHeadMax ? State::kTooLong : State::kMore;
  *rest = text_.substr(end + 4);
  text_.resize(end);
  if (!read()) return State::kMalformed;
  // "100 Continue" and its like are followed by the real answer; "101 Switching Protocols" is one.
  if (status_ >= 100 && status_ < 200 && status_ != 101) {
    *this = HttpHead();
    return add(std::exchange(*rest, {}), rest);
  }
  return State::kDone;
}

bool HttpHead::read() {
  if (!text_.starts_with("HTTP/1.") || text_.size() < 12 || text_[8] != ' ') return false;
  auto [stop, error] = std::from_chars(text_.data() + 9, text_.data() + 12, status_);
  if (error != std::errc() || stop != text_.data() + 12 || status_ < 100) return false;
  std::string_view lines = text_;
  for (auto at = lines.find("\r\n"); at != std::string_view::npos; at = lines.find("\r\n")) {
    lines.remove_prefix(at + 2);
    auto line = lines.substr(0, lines.find("\r\n"));
    auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    auto value = line.substr(colon + 1);
    while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
    headers_.emplace_back(line.substr(0, colon), value);
  }
  return true;
}

std::string_view HttpHead::header(std::string_view name) const {
  for (const auto& [key, value] : headers_) {
    if (same_word(key, name)) return value;
  }
  return {};
}

std::optional<uint64_t> HttpHead::content_length() const {
  auto text = header("Content-Length");
  uint64_t n = 0;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc() && !text.empty() && n <= INT64_MAX ? std::optional(n) : std::nullopt;
}

bool HttpHead::chunked() const { return header("Transfer-Encoding").find("chunked") != std::string_view::npos; }

}  // namespace lotse::agent
