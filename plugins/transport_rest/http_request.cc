#include "plugins/transport_rest/http_request.h"

#include <boost/beast/http/basic_parser.hpp>

#include "plugins/transport_rest/utf8.h"

namespace lotse::transport_rest {
namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

namespace {

constexpr size_t kLastChunkBytes = 5;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
std::string_view plain(string_view v) { return {v.data(), v.size()}; }

}  // namespace

bool same_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

bool next_in_list(std::string_view& list, std::string_view& item) {
  if (list.empty()) return false;
  const size_t comma = std::min(list.find(','), list.size());
  item = list.substr(0, comma);
  list.remove_prefix(std::min(comma + 1, list.size()));
  while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
  while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
  return true;
}

std::string_view HttpRequest::header(std::string_view name) const {
  for (size_t i = 0; i < fields_.size(); ++i) {
    if (same_ignoring_case(header_name(i), name)) return header_value(i);
  }
  return {};
}

size_t HttpRequest::count(std::string_view name) const {
  size_t found = 0;
  for (size_t i = 0; i < fields_.size(); ++i) found += same_ignoring_case(header_name(i), name);
  return found;
}

bool HttpRequest::list_has(std::string_view name, std::string_view token) const {
  for (size_t i = 0; i < fields_.size(); ++i) {
    if (!same_ignoring_case(header_name(i), name)) continue;
    std::string_view list = header_value(i), item;
    while (next_in_list(list, item)) {
      if (same_ignoring_case(item, token)) return true;
    }
  }
  return false;
}

void HttpRequest::add_header(std::string_view name, std::string_view value) {
  const auto at = static_cast<uint32_t>(text_.size());
  const auto name_size = static_cast<uint32_t>(name.size());
  text_.append(name).append(value);
  fields_.push_back({at, name_size, at + name_size, static_cast<uint32_t>(value.size())});
}

class RequestParser::Grammar : public http::basic_parser<true> {
 public:
  explicit Grammar(RequestParser& owner) : owner_(owner) {}
  // Where a chunk's head is to come. Beast 1.74 asserts that it sees the last one ("0", two line ends) in a buffer of at
  // least five bytes when it looks a second time; as a body can end no shorter, one waits for five before the first look.
  bool wants_chunk_head() const { return is_header_done() && chunked() && chunk_left_ == 0; }

 private:
  HttpRequest& request() { return owner_.request_; }
  void fail(error_code& ec, uint32_t status, std::string_view message) {
    owner_.refuse(status, message);
    ec = http::error::bad_field;
  }

  void on_request_impl(http::verb, string_view method, string_view target, int version, error_code&) override {
    request().method = plain(method);
    request().target = plain(target);
    request().http11 = version >= 11;
  }
  void on_response_impl(int, string_view, int, error_code&) override {}
  void on_field_impl(http::field field, string_view name, string_view value, error_code& ec) override {
    if (head_done_) return;  // trailers: nobody asked for them
    if (request().header_count() >= owner_.limits_.headers) return fail(ec, 431, "too many header fields");
    switch (field) {
      case http::field::content_length:
        if (has_length_ || has_coding_) return fail(ec, 400, "the length of the body is given twice");
        if (plain(value).find_first_not_of("0123456789") != std::string_view::npos) return fail(ec, 400, "malformed Content-Length");
        has_length_ = true;
        break;
      case http::field::transfer_encoding:
        if (has_length_ || has_coding_) return fail(ec, 400, "the length of the body is given twice");
        if (!same_ignoring_case(plain(value), "chunked")) return fail(ec, 501, "unsupported transfer encoding");
        has_coding_ = true;
        break;
      default: break;
    }
    request().add_header(plain(name), plain(value));
  }
  void on_header_impl(error_code& ec) override {
    head_done_ = true;
    request().keep_alive = keep_alive();
    if (has_coding_ && !request().http11) fail(ec, 400, "HTTP/1.0 knows no transfer encoding");
  }
  void on_body_init_impl(boost::optional<uint64_t> const& length, error_code&) override {
    // Believed up to a point only: a client that announces 3 MiB and sends nothing costs nothing.
    if (length) request().body.reserve(std::min<uint64_t>(*length, 64 * 1024));
  }
  size_t on_body_impl(string_view body, error_code&) override {
    request().body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(uint64_t size, string_view, error_code&) override { chunk_left_ = size; }
  size_t on_chunk_body_impl(uint64_t, string_view body, error_code&) override {
    chunk_left_ -= std::min<uint64_t>(chunk_left_, body.size());
    request().body.append(body.data(), body.size());
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  RequestParser& owner_;
  uint64_t chunk_left_ = 0;
  bool head_done_ = false, has_length_ = false, has_coding_ = false;
};

RequestParser::RequestParser(const HttpLimits& limits) : limits_(limits), grammar_(std::make_unique<Grammar>(*this)) {
  grammar_->header_limit(limits_.header_bytes);
  grammar_->body_limit(limits_.body_bytes);
}

RequestParser::~RequestParser() = default;

bool RequestParser::started() const { return grammar_->got_some(); }
bool RequestParser::head_done() const { return checked_; }
bool RequestParser::done() const { return !refusal_ && grammar_->is_done(); }

void RequestParser::refuse(uint32_t status, std::string_view message) {
  if (!refusal_) refusal_ = Refusal{status, std::string(message)};
}

void RequestParser::check_head() {
  checked_ = true;
  if (request_.http11 && request_.count("Host") != 1) return refuse(400, "exactly one Host header is required");
  if (request_.count("Authorization") > 1) return refuse(400, "more than one Authorization header");
  const std::string_view expect = request_.header("Expect");
  if (!expect.empty() && !same_ignoring_case(expect, "100-continue")) return refuse(417, "unknown expectation");
  request_.expects_continue = !expect.empty() && request_.http11;
  for (size_t i = 0; i < request_.header_count(); ++i) {
    if (!is_utf8(request_.header_value(i))) return refuse(400, "a header holds bytes that are not UTF-8");
  }
}

size_t RequestParser::feed(std::string_view data) {
  size_t used = 0;
  while (used < data.size() && !refusal_ && !grammar_->is_done()) {
    if (grammar_->wants_chunk_head() && data.size() - used < kLastChunkBytes) break;
    error_code ec;
    const size_t n = grammar_->put(boost::asio::const_buffer(data.data() + used, data.size() - used), ec);
    used += n;
    if (ec == http::error::need_more) {
      // Only lines are ever waited for as a whole; one of a chunked body may not grow without end either.
      if (data.size() - used > limits_.header_bytes) refuse(grammar_->is_header_done() ? 400 : 431, "a line is too long");
      ec = {};
      if (n == 0) break;
    }
    if (ec == http::error::header_limit) refuse(431, "the header exceeds the limit of " + std::to_string(limits_.header_bytes) + " bytes");
    else if (ec == http::error::body_limit) refuse(413, "the request body exceeds the limit of " + std::to_string(limits_.body_bytes) + " bytes");
    else if (ec == http::error::bad_version) refuse(505, "only HTTP/1.1 is spoken here");
    else if (ec) refuse(400, "malformed HTTP request: " + ec.message());
    if (!refusal_ && !checked_ && grammar_->is_header_done()) check_head();
  }
  return used;
}

}  // namespace lotse::transport_rest
