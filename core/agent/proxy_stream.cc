#include "core/agent/proxy_stream.h"

#include "core/agent/http_head.h"
#include "core/agent/socket.h"

namespace lotse::agent {
namespace {

constexpr uint32_t kBody = 0, kHead = 1;

// Takes "Transfer-Encoding: chunked" off a body.
class Unchunker {
 public:
  // False: this is no chunked body.
  bool add(std::string_view data, std::string* out) {
    for (size_t i = 0; i < data.size() && !done_;) {
      if (left_ > 0) {
        size_t n = std::min<size_t>(left_, data.size() - i);
        out->append(data.substr(i, n));
        left_ -= n;
        i += n;
        continue;
      }
      char c = data[i++];
      if (c != '\n') {
        line_ += c;
        if (line_.size() > 256) return false;
        continue;
      }
      if (!line_.empty() && line_.back() == '\r') line_.pop_back();
      if (line_.empty()) {
        if (last_) done_ = true;
        continue;  // the end of a chunk
      }
      if (last_) {
        line_.clear();  // a trailer
        continue;
      }
      char* end = nullptr;
      left_ = std::strtoull(line_.c_str(), &end, 16);
      if (end == line_.c_str() || left_ > (1ull << 40)) return false;
      last_ = left_ == 0;
      line_.clear();
    }
    return true;
  }
  bool done() const { return done_; }

 private:
  std::string line_;
  uint64_t left_ = 0;
  bool last_ = false, done_ = false;
};

struct Proxy : std::enable_shared_from_this<Proxy> {
  Loop& loop;
  SinkPtr sink;
  MsgValue arguments;
  std::string ip;
  std::unique_ptr<Socket> socket;
  HttpHead head;
  std::string unsent;  // what the opener wrote before we were connected
  bool connected = false, chunked_out = false, body_closed = false, got_head = false, raw = false, chunked_in = false,
       ended = false;
  int64_t expected = -1;
  uint64_t credit = 0;
  Unchunker unchunker;

  Proxy(Loop& l, MsgValue a, std::string to, SinkPtr s)
      : loop(l), sink(std::move(s)), arguments(std::move(a)), ip(std::move(to)) {}

  void start() {
    auto weak = weak_from_this();
    socket = std::make_unique<Socket>(
        loop, [weak](Status s) { if (auto p = weak.lock()) s.ok() ? p->ready() : p->fail(s); },
        [weak](std::string_view data) { if (auto p = weak.lock()) p->take(data); },
        [weak](Status s) { if (auto p = weak.lock()) p->closed(s); });
    socket->pause(true);
    socket->connect(ip, static_cast<int>(arguments["port"].as_int()), arguments["scheme"].as_text("http") == "https",
                    {});
  }

  void fail(const Status& status) {
    end(Status(Reason::kServiceUnavailable, "error trying to reach service: " + status.message));
  }

  void end(Status status) {
    if (std::exchange(ended, true)) return;
    loop.post([self = shared_from_this(), status] {
      self->socket.reset();
      self->sink->on_end(status, Bytes());
    });
  }

  void ready() {
    std::string path(arguments["path"].as_text("/"));
    std::string method(arguments["method"].as_text("GET"));
    if (!path.starts_with('/')) path = "/" + path;
    if (!one_line(path) || !one_line(method))
      return end(Status(Reason::kBadRequest, "a path or method with a line break"));
    std::string text = method + " " + path + " HTTP/1.1\r\n";
    bool host = false, upgrade = false, length = false;
    for (const auto& pair : arguments["headers"].items()) {
      if (pair.items().size() != 2) continue;
      auto k = pair.items()[0].as_text(), v = pair.items()[1].as_text();
      if (!one_line(k) || !one_line(v) || k.empty()) continue;
      if (same_word(k, "Transfer-Encoding") || same_word(k, "Connection")) {
        upgrade = upgrade || (same_word(k, "Connection") && same_word(v, "Upgrade"));
        continue;
      }
      host = host || same_word(k, "Host");
      length = length || same_word(k, "Content-Length");
      text += std::string(k) + ": " + std::string(v) + "\r\n";
    }
    if (!host)
      text += "Host: " + (ip.find(':') == std::string::npos ? ip : "[" + ip + "]") + ":" +
              std::to_string(arguments["port"].as_int()) + "\r\n";
    bool may_have_body = method != "GET" && method != "HEAD" && method != "OPTIONS";
    chunked_out = may_have_body && !length && !upgrade;
    if (chunked_out) text += "Transfer-Encoding: chunked\r\n";
    text += upgrade ? "Connection: Upgrade\r\n\r\n" : "Connection: close\r\n\r\n";
    connected = true;
    socket->write(text);
    socket->pause(credit == 0);
    auto kept = std::exchange(unsent, {});
    if (!kept.empty()) send(kept);
    if (body_closed) finish_body();
  }

  void send(std::string_view data) {
    if (!connected) {
      unsent.append(data);
      return;
    }
    if (chunked_out && !raw) {
      char size[20];
      std::snprintf(size, sizeof size, "%zx\r\n", data.size());
      socket->write(std::string(size) + std::string(data) + "\r\n");
    } else {
      socket->write(data);
    }
    sink->on_writable(std::max<size_t>(data.size(), 1));
  }

  void finish_body() {
    if (connected && chunked_out && !raw) socket->write("0\r\n\r\n");
  }

  void take(std::string_view data) {
    if (ended) return;
    if (got_head) return body(data);
    std::string rest;
    switch (head.add(data, &rest)) {
      case HttpHead::State::kMore: return;
      case HttpHead::State::kTooLong:
        return end(Status(Reason::kServiceUnavailable, "the header of the answer is too long"));
      case HttpHead::State::kMalformed: return end(Status(Reason::kServiceUnavailable, "malformed HTTP response"));
      case HttpHead::State::kDone: break;
    }
    hand_on_head();
    if (!rest.empty() || expected == 0) body(rest);
  }

  // Headers of the connection, not of the answer, stay here: but an upgrade is an agreement between the two ends.
  void hand_on_head() {
    const int status = head.status();
    auto headers = MsgValue::array();
    for (const auto& [key, value] : head.headers()) {
      if (same_word(key, "Transfer-Encoding") || (same_word(key, "Connection") && status != 101)) continue;
      headers.push(MsgValue::array({key, value}));
    }
    got_head = true;
    raw = status == 101;
    chunked_in = head.chunked() && !raw;
    if (!chunked_in && !raw) expected = static_cast<int64_t>(head.content_length().value_or(static_cast<uint64_t>(-1)));
    if (arguments["method"].as_text() == "HEAD" || status == 204 || status == 304) {
      expected = 0;
      chunked_in = false;
    }
    auto item = MsgValue::map({{"status", status}, {"headers", std::move(headers)}}).encode();
    sink->on_item(kHead, Bytes(item));
  }

  void body(std::string_view data) {
    std::string plain;
    if (chunked_in) {
      if (!unchunker.add(data, &plain)) return end(Status(Reason::kServiceUnavailable, "malformed chunked body"));
    } else {
      plain = std::string(expected >= 0 ? data.substr(0, static_cast<size_t>(expected)) : data);
      if (expected >= 0) expected -= static_cast<int64_t>(plain.size());
    }
    if (!plain.empty()) {
      credit -= std::min<uint64_t>(credit, plain.size());
      if (credit == 0) socket->pause(true);
      sink->on_item(kBody, Bytes(plain));
    }
    if ((chunked_in && unchunker.done()) || expected == 0) end(Status());
  }

  void closed(const Status& status) {
    bool whole = got_head && !chunked_in && expected < 0;
    end(whole ? Status() : Status(Reason::kServiceUnavailable, "the connection ended early: " + status.message));
  }
};

class ProxyHandle : public Stream {
 public:
  ProxyHandle(std::shared_ptr<Proxy> proxy, Loop& loop) : proxy_(std::move(proxy)), loop_(loop) {}
  ~ProxyHandle() override { cancel(); }
  void grant(uint64_t bytes) override {
    loop_.post([p = proxy_, bytes] {
      p->credit += bytes;
      if (p->socket && p->connected && !p->ended) p->socket->pause(false);
    });
  }
  bool write(uint32_t channel, Bytes data) override {
    if (channel != kBody) return false;
    loop_.post([p = proxy_, data] {
      if (!p->ended) p->send(data);
    });
    return true;
  }
  void half_close(uint32_t) override {
    loop_.post([p = proxy_] {
      if (p->ended || std::exchange(p->body_closed, true)) return;
      p->finish_body();
    });
  }
  void cancel() override {
    loop_.post([p = proxy_] { p->end(Status(Reason::kCancelled, "the client has gone")); });
  }

 private:
  std::shared_ptr<Proxy> proxy_;
  Loop& loop_;
};

}  // namespace

StreamPtr open_proxy(Loop& loop, const MsgValue& arguments, const std::string& ip, SinkPtr sink) {
  auto proxy = std::make_shared<Proxy>(loop, arguments, ip, std::move(sink));
  proxy->start();
  return std::make_unique<ProxyHandle>(std::move(proxy), loop);
}

}  // namespace lotse::agent
