#include "plugins/engine_http/http_exchange.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

namespace lotse::engine_http {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using boost::beast::string_view;

constexpr size_t kHeadMax = 64 << 10;
constexpr size_t kReadSize = 32 << 10;

std::string request_text(const HttpRequest& r) {
  std::string out = r.method + " " + r.target + " HTTP/1.1\r\nHost: engine\r\nUser-Agent: lotse\r\n";
  for (auto& [name, value] : r.headers) out += name + ": " + value + "\r\n";
  if (r.upgrade) {
    out += "Connection: Upgrade\r\nUpgrade: tcp\r\n";
  } else {
    out += "Connection: close\r\n";
  }
  bool has_body = !r.body.empty() || r.method == "POST" || r.method == "PUT";
  if (!r.body.empty()) out += "Content-Type: " + r.content_type + "\r\n";
  if (has_body) out += "Content-Length: " + std::to_string(r.body.size()) + "\r\n";
  return out + "\r\n" + r.body;
}

}  // namespace

// Beast reads the head and takes chunks apart; the pieces of the body go on as they come.
struct HttpExchange::Parser : http::basic_parser<false> {
  explicit Parser(HttpExchange& e) : exchange(e) {
    body_limit(UINT64_MAX);  // Boost 1.74 takes "none" for a limit of nothing
    header_limit(kHeadMax);
  }

  void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
  void on_response_impl(int code, string_view, int, error_code&) override { status = code; }
  void on_field_impl(http::field, string_view, string_view, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code&) override {
    if (!exchange.done_ && exchange.handler_.on_body) exchange.handler_.on_body({body.data(), body.size()});
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code& ec) override {
    return on_body_impl(body, ec);
  }
  void on_finish_impl(error_code&) override {}

  HttpExchange& exchange;
  int status = 0;
};

HttpExchange::HttpExchange(Reactor& reactor, HttpHandler handler)
    : reactor_(reactor), handler_(std::move(handler)), parser_(std::make_unique<Parser>(*this)) {}

HttpExchange::~HttpExchange() {
  if (fd_ >= 0) ::close(fd_);
}

std::shared_ptr<HttpExchange> HttpExchange::start(Reactor& reactor, std::string socket, HttpRequest request,
                                                  HttpHandler handler, int64_t deadline_ns) {
  std::shared_ptr<HttpExchange> made(new HttpExchange(reactor, std::move(handler)));
  made->self_ = made;
  reactor.post([made, socket = std::move(socket), request = std::move(request), deadline_ns] {
    if (!made->done_) made->open(socket, request, deadline_ns);
  });
  return made;
}

void HttpExchange::open(const std::string& socket, const HttpRequest& request, int64_t deadline_ns) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket.size() >= sizeof address.sun_path) return end(Failure{LOTSE_INVALID, "the path is too long: " + socket});
  memcpy(address.sun_path, socket.data(), socket.size());
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0 || connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return end(Failure{LOTSE_UNAVAILABLE, "cannot connect to " + socket + ": " + strerror(errno)});
  }
  wants_stream_ = request.upgrade;
  outgoing_ = request_text(request);
  if (deadline_ns != 0) {
    timer_ = reactor_.timer_at(deadline_ns, [weak = weak_from_this()] {
      auto self = weak.lock();
      if (self) self->end(Failure{LOTSE_DEADLINE, "the engine did not answer in time"});
    });
  }
  watch_ = reactor_.watch(fd_, EPOLLIN | EPOLLOUT | EPOLLRDHUP, [weak = weak_from_this()](uint32_t events) {
    if (auto self = weak.lock()) self->ready(events);
  });
}

void HttpExchange::ready(uint32_t events) {
  auto keep = shared_from_this();
  if (events & EPOLLOUT) flush();
  if (!done_) read_some();
}

void HttpExchange::flush() {
  size_t before = sent_;
  while (!done_ && fd_ >= 0 && sent_ < outgoing_.size()) {
    ssize_t n = ::send(fd_, outgoing_.data() + sent_, outgoing_.size() - sent_, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) {
      // On a stream the other side has closed its input: what is left goes nowhere, and what it still says is read.
      if (stream_) {
        if (handler_.on_sent) handler_.on_sent(outgoing_.size() - before);
        outgoing_.clear();
        sent_ = 0;
        shut_ = finishing_ = true;
        return;
      }
      return read_some();  // an answer may have come before all of the request was taken
    }
    sent_ += static_cast<size_t>(n);
  }
  if (stream_ && sent_ > before && handler_.on_sent) handler_.on_sent(sent_ - before);
  if (sent_ < outgoing_.size()) return;
  outgoing_.clear();
  sent_ = 0;
  request_sent_ = true;
  if (stream_ && finishing_ && !shut_ && fd_ >= 0) {
    shut_ = true;
    shutdown(fd_, SHUT_WR);
  }
}

void HttpExchange::read_some() {
  if (reading_ || done_ || fd_ < 0) return;
  auto keep = shared_from_this();
  reading_ = true;
  std::array<char, kReadSize> buffer;
  while (!done_ && has_room()) {
    ssize_t n = recv(fd_, buffer.data(), buffer.size(), 0);
    if (n > 0) {
      take({buffer.data(), static_cast<size_t>(n)});
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (stream_) {
      end(Done{});
    } else {
      error_code ec;
      if (parser_->is_header_done()) parser_->put_eof(ec);
      bool whole = parser_->is_header_done() && !ec && parser_->is_done();
      if (whole) {
        end(Done{});
      } else {
        end(Failure{request_sent_ ? LOTSE_UNKNOWN : LOTSE_UNAVAILABLE, "the engine's connection broke"});
      }
    }
  }
  reading_ = false;
}

void HttpExchange::take(std::string_view data) {
  if (stream_) {
    if (handler_.on_body) handler_.on_body(data);
    return;
  }
  head_.append(data);
  error_code ec;
  while (!done_ && !stream_ && !head_.empty() && !parser_->is_done()) {
    bool had_head = parser_->is_header_done();
    size_t used = parser_->put(boost::asio::const_buffer(head_.data(), head_.size()), ec);
    head_.erase(0, used);
    if (ec == http::error::need_more) return;
    if (ec) return end(Failure{LOTSE_UNKNOWN, "the engine's answer is no HTTP: " + ec.message()});
    if (!had_head && parser_->is_header_done()) take_head();
    if (used == 0 && !stream_) break;
  }
  if (!done_ && !stream_ && parser_->is_done()) end(Done{});
}

void HttpExchange::take_head() {
  request_sent_ = true;
  stream_ = wants_stream_ && (parser_->status == 101 || parser_->status == 200);
  if (handler_.on_head) handler_.on_head(parser_->status, stream_);
  if (done_ || !stream_) return;
  std::string first = std::move(head_);
  head_.clear();
  outgoing_ += waiting_;
  waiting_.clear();
  if (!first.empty() && handler_.on_body) handler_.on_body(first);
  if (!done_) flush();
}

void HttpExchange::write(std::string_view data) {
  if (done_ || finishing_) {
    if (handler_.on_sent) handler_.on_sent(data.size());
    return;
  }
  if (!stream_) {
    waiting_.append(data);
    return;
  }
  outgoing_.append(data);
  flush();
}

void HttpExchange::finish() {
  finishing_ = true;
  if (stream_) flush();
}

void HttpExchange::room_again() {
  read_some();
}

void HttpExchange::close() {
  done_ = true;
  release();
}

void HttpExchange::end(Verdict verdict) {
  if (done_) return;
  done_ = true;
  auto keep = shared_from_this();
  release();
  auto tell = std::move(handler_.on_end);
  // A handler may hold who holds us.
  reactor_.post([keep] { keep->handler_ = {}; });
  if (tell) tell(verdict);
}

void HttpExchange::release() {
  if (timer_ != 0) reactor_.timer_stop(timer_);
  timer_ = 0;
  if (fd_ >= 0) {
    reactor_.unwatch(watch_);
    ::close(fd_);
    fd_ = -1;
  }
  if (self_) reactor_.post([keep = std::move(self_)] { keep->handler_ = {}; });
}

std::string percent_encode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

}  // namespace lotse::engine_http
