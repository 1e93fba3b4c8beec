#include <catch2/catch.hpp>

#include "plugins/transport_rest/gzip_source.h"
#include "plugins/transport_rest/http_request.h"
#include "plugins/transport_rest/http_response.h"

using namespace lotse::transport_rest;

namespace {

uint32_t status_of(const std::string& text, HttpLimits limits = {}) {
  RequestParser parser(limits);
  parser.feed(text);
  return parser.refusal() ? parser.refusal()->status : parser.done() ? 200 : 0;
}

std::string get(const std::string& headers) { return "GET / HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n"; }
std::string post(const std::string& headers, const std::string& body) { return "POST / HTTP/1.1\r\nHost: a\r\n" + headers + "\r\n" + body; }

}  // namespace

TEST_CASE("a request is read however it is cut") {
  const std::string text = "POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nX-A: 1\r\nx-a:  two \r\n\r\nhelloGET /";
  for (size_t step : {1u, 2u, 7u, 1000u}) {
    RequestParser parser({});
    std::string inbox;
    for (size_t at = 0; at < text.size() && !parser.done(); at += step) {
      inbox += text.substr(at, step);
      inbox.erase(0, parser.feed(inbox));
      REQUIRE_FALSE(parser.refusal());
    }
    REQUIRE(parser.done());
    CHECK(parser.request().method == "POST");
    CHECK(parser.request().target == "/api");
    CHECK(parser.request().body == "hello");
    CHECK(parser.request().header("x-A") == "1");
    CHECK(parser.request().count("X-a") == 2);
    CHECK(parser.request().header_value(3) == "two");
    CHECK(parser.request().keep_alive);
    CHECK(std::string("GET /").starts_with(inbox));
  }
}

TEST_CASE("chunked bodies are joined and their trailers ignored") {
  RequestParser parser({});
  const std::string text = post("Transfer-Encoding: chunked\r\n", "3;x=y\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Admin: yes\r\n\r\n");
  CHECK(parser.feed(text) == text.size());
  REQUIRE(parser.done());
  CHECK(parser.request().body == "abcdefg");
  CHECK(parser.request().header("X-Admin").empty());
}

TEST_CASE("a chunked body is read however it is cut, its end too") {
  const std::string bodies[] = {"3;x=y\r\nabc\r\n0\r\n\r\n", "3\r\nabc\r\n0\r\nT: x\r\n\r\n", "0\r\n\r\n", "0x\r\n\r\n", "00;a\r\n\r\n"};
  for (const std::string& body : bodies) {
    const std::string text = post("Transfer-Encoding: chunked\r\n", body);
    const uint32_t whole = status_of(text);
    for (size_t step = 1; step < 12; ++step) {
      RequestParser parser({});
      std::string inbox;
      for (size_t at = 0; at < text.size() && !parser.done() && !parser.refusal(); at += step) {
        inbox += text.substr(at, step);
        inbox.erase(0, parser.feed(inbox));
        parser.feed(inbox);  // offered again with nothing new
      }
      CHECK((parser.refusal() ? parser.refusal()->status : parser.done() ? 200 : 0) == whole);
      if (whole == 200) CHECK(inbox.empty());
    }
  }
}

TEST_CASE("a request that two readers could understand differently is refused") {
  CHECK(status_of(post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")) == 400);
  CHECK(status_of(post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n")) == 400);
  CHECK(status_of(post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc")) == 400);
  CHECK(status_of(post("Content-Length: 3, 3\r\n", "abc")) == 400);
  CHECK(status_of(post("Content-Length: +3\r\n", "abc")) == 400);
  CHECK(status_of(post("Content-Length: -1\r\n", "abc")) == 400);
  CHECK(status_of(post("Content-Length: 99999999999999999999999\r\n", "abc")) >= 400);
  CHECK(status_of(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")) == 400);
  CHECK(status_of(post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")) == 501);
  CHECK(status_of(post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")) == 501);
  CHECK(status_of("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400);
  CHECK(status_of(get("X : y\r\n")) == 400);
  CHECK(status_of(get("X\x01: y\r\n")) == 400);
  CHECK(status_of(get(": y\r\n")) == 400);
}

TEST_CASE("bad chunking is refused") {
  CHECK(status_of(post("Transfer-Encoding: chunked\r\n", "xyz\r\n")) == 400);
  CHECK(status_of(post("Transfer-Encoding: chunked\r\n", "3\r\nabcd\r\n0\r\n\r\n")) == 400);
  CHECK(status_of(post("Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n")) >= 400);
  CHECK(status_of(post("Transfer-Encoding: chunked\r\n", "-3\r\nabc\r\n")) == 400);
  CHECK(status_of(post("Transfer-Encoding: chunked\r\n", "3;" + std::string(100000, 'x'))) == 400);
}

TEST_CASE("limits hold before memory is spent") {
  CHECK(status_of(get("X: " + std::string(70000, 'x') + "\r\n")) == 431);
  CHECK(status_of("GET /" + std::string(70000, 'x')) == 431);
  std::string flood;
  for (int i = 0; i < 300; ++i) flood += "A" + std::to_string(i) + ": b\r\n";
  CHECK(status_of(get(flood)) == 431);
  CHECK(status_of(post("Content-Length: 104857600\r\n", "")) == 413);
  HttpLimits small;
  small.body_bytes = 8;
  CHECK(status_of(post("Content-Length: 8\r\n", "12345678"), small) == 200);
  CHECK(status_of(post("Content-Length: 9\r\n", ""), small) == 413);
  CHECK(status_of(post("Transfer-Encoding: chunked\r\n", "5\r\nabcde\r\n4\r\nfghi\r\n0\r\n\r\n"), small) == 413);
}

TEST_CASE("malformed requests are refused") {
  CHECK(status_of("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls on a plain port\r\n\r\n") == 400);
  CHECK(status_of("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
  CHECK(status_of("GET  / HTTP/1.1\r\nHost: a\r\n\r\n") == 400);
  CHECK(status_of("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of("GET / HTTP/1.0\r\n\r\n") == 200);
  CHECK(status_of(get("Host: b\r\n")) == 400);
  CHECK(status_of(get("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n")) == 400);
  CHECK(status_of(get("X: \xff\r\n")) == 400);
  CHECK(status_of(get("Expect: 200-ok\r\n")) == 417);
}

TEST_CASE("connection headers are understood") {
  RequestParser a({}), b({}), c({});
  a.feed(get("Connection: close\r\n"));
  CHECK_FALSE(a.request().keep_alive);
  b.feed("GET / HTTP/1.0\r\n\r\n");
  CHECK_FALSE(b.request().keep_alive);
  c.feed(post("Expect: 100-Continue\r\nContent-Length: 1\r\nConnection: keep-alive, Upgrade\r\n", ""));
  CHECK(c.head_done());
  CHECK_FALSE(c.done());
  CHECK(c.request().expects_continue);
  CHECK(c.request().list_has("connection", "upgrade"));
  CHECK_FALSE(c.request().list_has("connection", "keep"));
}

TEST_CASE("a response's head holds no line that a header smuggles in") {
  const Headers headers = {{"Warning", "299 - \"x\""}, {"X-Bad", "a\r\nSet-Cookie: b"}, {"Content-Length", "7"}};
  ResponseHead head;
  head.status = 404;
  head.content_type = "application/json";
  head.headers = &headers;
  head.content_length = 3;
  const std::string text = make_head(head);
  CHECK(text.starts_with("HTTP/1.1 404 Not Found\r\nDate: "));
  CHECK(text.find("Warning: 299 - \"x\"\r\n") != std::string::npos);
  CHECK(text.find("Set-Cookie") == std::string::npos);
  CHECK(text.find("Content-Length: 3\r\n") != std::string::npos);
  CHECK(text.find("Content-Length: 7") == std::string::npos);
  CHECK(text.ends_with("\r\n\r\n"));
}

TEST_CASE("refusals are Status objects") {
  CHECK(status_json({405, "no \"x\"\n\xff"}) ==
        "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"message\":\"no \\\"x\\\"\\u000a\xEF\xBF\xBD\","
        "\"reason\":\"MethodNotAllowed\",\"code\":405}\n");
}

TEST_CASE("gzip is given to those who ask for it") {
  CHECK(accepts_gzip("gzip"));
  CHECK(accepts_gzip("deflate, GZIP;q=0.5"));
  CHECK_FALSE(accepts_gzip(""));
  CHECK_FALSE(accepts_gzip("deflate, br"));
  CHECK_FALSE(accepts_gzip("gzip;q=0"));
  CHECK_FALSE(accepts_gzip("gzip; q=0.000"));
}
