// httpGet and tcpSocket. Any status from 200 to 399 is good; a redirect is followed only on the same host.
#include <fmt/format.h>

#include "core/agent/handler_runner.h"
#include "core/agent/http_head.h"
#include "core/agent/socket.h"

namespace lotse::agent {
namespace {

constexpr size_t kBodyMax = 10 * 1024;
constexpr int kRedirectsMost = 10;

struct Http : Handle::Impl {
  Loop& loop;
  Handler handler;
  HandlerTarget target;
  HandlerRunner::Done done;
  std::unique_ptr<Socket> socket, old;
  HttpHead head;
  std::string path, body;
  bool in_body = false;
  int redirects = 0, round = 0;

  Http(Loop& l, const Handler& h, const HandlerTarget& t, HandlerRunner::Done d)
      : loop(l), handler(h), target(t), done(std::move(d)) {
    path = handler.path.starts_with('/') ? handler.path : "/" + handler.path;
    begin();
  }

  bool tls() const { return handler.scheme == "HTTPS"; }
  std::string host() const { return handler.host.empty() ? target.ip : handler.host; }
  std::string authority() const {
    auto h = host();
    if (h.find(':') != std::string::npos) h = "[" + h + "]";
    return h + ":" + std::to_string(target.port);
  }

  void begin() {
    head = HttpHead();
    body.clear();
    in_body = false;
    old = std::move(socket);  // we may be in one of its calls, and what more it says is nothing to us
    auto current = [this, mine = ++round] { return mine == round; };
    socket = std::make_unique<Socket>(
        loop,
        [this, current](Status s) {
          if (current()) s.ok() ? ask() : fail(s.message);
        },
        [this, current](std::string_view data) {
          if (current()) take(data);
        },
        [this, current](Status s) {
          if (current()) in_body ? finish() : fail(s.message);
        });
    socket->connect(host() == "localhost" ? "127.0.0.1" : host(), target.port, tls(), host_header());
  }

  std::string host_header() const {
    for (const auto& [k, v] : handler.headers) {
      if (same_word(k, "Host")) return v;
    }
    return {};
  }

  void ask() {
    std::string text = "GET " + path + " HTTP/1.1\r\n";
    bool agent = false, accept = false;
    auto named = host_header();
    text += "Host: " + (named.empty() || !one_line(named) ? authority() : named) + "\r\n";
    for (const auto& [k, v] : handler.headers) {
      if (!one_line(k) || !one_line(v) || same_word(k, "Host")) continue;
      agent = agent || same_word(k, "User-Agent");
      accept = accept || same_word(k, "Accept");
      if (!v.empty()) text += k + ": " + v + "\r\n";
    }
    if (!agent) text += "User-Agent: kube-probe/1.36\r\n";
    if (!accept) text += "Accept: */*\r\n";
    socket->write(text + "Connection: close\r\n\r\n");
  }

  void fail(const std::string& why) {
    auto scheme = tls() ? "https" : "http";
    done({false, fmt::format("Get \"{}://{}{}\": {}", scheme, authority(), path, why)});
  }

  void take(std::string_view data) {
    if (in_body) {
      body.append(data.substr(0, kBodyMax - std::min(body.size(), kBodyMax)));
    } else {
      switch (head.add(data, &body)) {
        case HttpHead::State::kMore: return;
        case HttpHead::State::kTooLong: return fail("the header is too long");
        case HttpHead::State::kMalformed: return fail("malformed HTTP response");
        case HttpHead::State::kDone: break;
      }
      in_body = true;
      body.resize(std::min(body.size(), kBodyMax));
    }
    if (body.size() >= std::min<uint64_t>(head.content_length().value_or(kBodyMax), kBodyMax)) finish();
  }

  // Another path on the same host is asked for; another host counts as an answer.
  bool follow() {
    if (head.status() < 300 || head.status() >= 400) return false;
    std::string to(head.header("Location"));
    auto prefix = std::string(tls() ? "https://" : "http://") + authority();
    if (to.starts_with(prefix + "/")) to = to.substr(prefix.size());
    if (!to.starts_with('/') || to.starts_with("//") || !one_line(to)) return false;
    if (++redirects > kRedirectsMost) {
      fail("stopped after 10 redirects");
      return true;
    }
    path = to;
    begin();
    return true;
  }

  void finish() {
    if (follow()) return;
    if (head.status() >= 200 && head.status() < 400) return done({true, body});
    done({false, "HTTP probe failed with statuscode: " + std::to_string(head.status())});
  }
};

struct Tcp : Handle::Impl {
  HandlerRunner::Done done;
  Socket socket;
  Tcp(Loop& loop, const Handler& handler, const HandlerTarget& target, HandlerRunner::Done d)
      : done(std::move(d)),
        socket(loop, [this](Status s) { done({s.ok(), s.message}); }, [](std::string_view) {}, [](Status) {}) {
    socket.connect(handler.host.empty() ? target.ip : handler.host, target.port, false, {});
  }
};

}  // namespace

std::unique_ptr<Handle::Impl> run_http(Loop& loop, const Handler& handler, const HandlerTarget& target,
                                       HandlerRunner::Done done) {
  return std::make_unique<Http>(loop, handler, target, std::move(done));
}

std::unique_ptr<Handle::Impl> run_tcp(Loop& loop, const Handler& handler, const HandlerTarget& target,
                                      HandlerRunner::Done done) {
  return std::make_unique<Tcp>(loop, handler, target, std::move(done));
}

}  // namespace lotse::agent
