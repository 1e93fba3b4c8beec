// One HTTP/1.1 request, read from bytes as they come, without a socket. The grammar is Beast's; what is added is what a
// server on an open port wants: limits, and refusal of everything that two HTTP readers could understand differently
// (both Content-Length and Transfer-Encoding, a length given twice, codings other than chunked: request smuggling).
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugins/transport_rest/refusal.h"

namespace lotse::transport_rest {

struct HttpLimits {
  uint32_t header_bytes = 64 * 1024;
  uint32_t headers = 200;
  uint64_t body_bytes = 3 * 1024 * 1024;
};

struct HttpRequest {
  std::string method;
  std::string target;
  bool http11 = true;
  bool keep_alive = true;
  bool expects_continue = false;
  std::string body;

  size_t header_count() const { return fields_.size(); }
  std::string_view header_name(size_t i) const { return cut(fields_[i].name, fields_[i].name_size); }
  std::string_view header_value(size_t i) const { return cut(fields_[i].value, fields_[i].value_size); }
  // The first value, "" if there is none. Names are compared without regard to case.
  std::string_view header(std::string_view name) const;
  size_t count(std::string_view name) const;
  // True if a header that is a comma-separated list holds `token`, in any of its lines.
  bool list_has(std::string_view name, std::string_view token) const;
  void add_header(std::string_view name, std::string_view value);

 private:
  struct Field {
    uint32_t name, name_size, value, value_size;
  };
  std::string_view cut(uint32_t at, uint32_t size) const { return std::string_view(text_).substr(at, size); }
  std::string text_;
  std::vector<Field> fields_;
};

bool same_ignoring_case(std::string_view a, std::string_view b);
// Takes the next item off a comma-separated list, without the space around it; false at its end.
bool next_in_list(std::string_view& list, std::string_view& item);

class RequestParser {
 public:
  explicit RequestParser(const HttpLimits& limits);
  ~RequestParser();
  // Reads from data and returns how much of it is used up; what is left must be offered again, with more behind it.
  // Nothing behind the end of the request is touched.
  size_t feed(std::string_view data);
  bool started() const;    // at least one byte of a request has been seen
  bool head_done() const;
  bool done() const;
  const std::optional<Refusal>& refusal() const { return refusal_; }
  // REQUIRES: head_done()
  HttpRequest& request() { return request_; }

 private:
  class Grammar;
  void check_head();
  void refuse(uint32_t status, std::string_view message);
  HttpLimits limits_;
  HttpRequest request_;
  std::optional<Refusal> refusal_;
  std::unique_ptr<Grammar> grammar_;
  bool checked_ = false;
};

}  // namespace lotse::transport_rest
