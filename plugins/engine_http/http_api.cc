#include "plugins/engine_http/http_api.h"

namespace lotse::engine_http {
namespace {

constexpr size_t kAnswerMax = 64 << 20;

int32_t code_of(int status) {
  switch (status) {
    case 400:
      return LOTSE_INVALID;
    case 401:
    case 403:
      return LOTSE_DENIED;
    case 404:
      return LOTSE_NOT_FOUND;
    case 409:
      return LOTSE_CONFLICT;
    case 503:
      return LOTSE_UNAVAILABLE;
    default:
      return LOTSE_UNKNOWN;
  }
}

}  // namespace

Failure failure_of(const HttpAnswer& answer) {
  Json json = answer.json();
  std::string message = json["message"].text();
  if (message.empty()) message = json["cause"].text();
  if (message.empty()) message = answer.body.substr(0, 1024);
  while (!message.empty() && (message.back() == '\n' || message.back() == '\r')) message.pop_back();
  if (message.empty()) message = "the engine answered with status " + std::to_string(answer.status);
  return {code_of(answer.status), message};
}

HttpRequest HttpApi::request(const char* method, const std::string& path) const {
  HttpRequest out;
  out.method = method;
  out.target = prefix_ + path;
  return out;
}

HttpRequest HttpApi::request(const char* method, const std::string& path, const Msg& body) const {
  HttpRequest out = request(method, path);
  out.body = json_text(body);
  return out;
}

std::shared_ptr<HttpExchange> HttpApi::start(HttpRequest request, HttpHandler handler, int64_t deadline_ns) {
  return HttpExchange::start(reactor_, socket_, std::move(request), std::move(handler), deadline_ns);
}

Co<Outcome<HttpAnswer>> HttpApi::try_call(HttpRequest request, int64_t deadline_ns) {
  auto answer = std::make_shared<HttpAnswer>();
  Callback<Verdict> whole([&](std::function<void(Verdict)> done) {
    HttpHandler handler;
    handler.on_head = [answer](int status, bool) { answer->status = status; };
    handler.on_body = [answer](std::string_view piece) {
      answer->body.append(piece.substr(0, kAnswerMax - std::min(kAnswerMax, answer->body.size())));
    };
    handler.on_end = [done = std::move(done)](const Verdict& verdict) { done(verdict); };
    start(std::move(request), std::move(handler), deadline_ns);
  });
  Verdict verdict = co_await whole;
  if (!verdict.ok()) co_return verdict.failure();
  if (answer->status >= 400) co_return failure_of(*answer);
  co_return std::move(*answer);
}

Co<HttpAnswer> HttpApi::call(HttpRequest request, int64_t deadline_ns) {
  co_return std::move(co_await try_call(std::move(request), deadline_ns)).take();
}

}  // namespace lotse::engine_http
