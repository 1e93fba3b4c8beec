// httpGet and tcpSocket. Any status from 200 to 399 is good; a redirect is followed only on the same host.
#include <fmt/format.h>

#include "core/agent/handler_runner.h"
#include "core/agent/socket.h"

namespace lotse::agent {
namespace {

constexpr size_t kHeadMax = 64 * 1024, kBodyMax = 10 * 1024;
constexpr int kRedirectsMost = 10;

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return std::tolower(x) == std::tolower(y); });
}

bool clean(std::string_view text) { return text.find_first_of("\r\n") == std::string_view::npos; }

struct Http : Handle::Impl {
  Loop& loop;
  Handler handler;
  HandlerTarget target;
  HandlerRunner::Done done;
  std::unique_ptr<Socket> socket, old;
  std::string path, head, body;
  size_t body_expected = std::string::npos;
  bool in_body = false;
  int status = 0, redirects = 0;
  std::string location;

  Http(Loop& l, const Handler& h, const HandlerTarget& t, HandlerRunner::Done d) : loop(l), handler(h), target(t), done(std::move(d)) {
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
    head.clear();
    body.clear();
    in_body = false;
    body_expected = std::string::npos;
    old = std::move(socket);  // we may be in one of its calls
    socket = std::make_unique<Socket>(
        loop, [this](Status s) { s.ok() ? ask() : fail(s.message); }, [this](std::string_view data) { take(data); },
        [this](Status s) { in_body ? finish() : fail(s.message); });
    socket->connect(host() == "localhost" ? "127.0.0.1" : host(), target.port, tls(), host_header());
  }

  std::string host_header() const {
    for (const auto& [k, v] : handler.headers) {
      if (same(k, "Host")) return v;
    }
    return {};
  }

  void ask() {
    std::string text = "GET " + path + " HTTP/1.1\r\n";
    bool agent = false, accept = false;
    auto named = host_header();
    text += "Host: " + (named.empty() || !clean(named) ? authority() : named) + "\r\n";
    for (const auto& [k, v] : handler.headers) {
      if (!clean(k) || !clean(v) || same(k, "Host")) continue;
      agent = agent || same(k, "User-Agent");
      accept = accept || same(k, "Accept");
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
      head.append(data);
      auto end = head.find("\r\n\r\n");
      if (end == std::string::npos) {
        if (head.size() > kHeadMax) fail("the header is too long");
        return;
      }
      body = head.substr(end + 4, kBodyMax);
      head.resize(end);
      in_body = true;
      if (!read_head()) return fail("malformed HTTP response");
    }
    if (body.size() >= std::min(body_expected, kBodyMax)) finish();
  }

  bool read_head() {
    if (!head.starts_with("HTTP/1.") || head.size() < 12) return false;
    status = 0;
    for (size_t i = 9; i < 12; ++i) {
      if (head[i] < '0' || head[i] > '9') return false;
      status = status * 10 + (head[i] - '0');
    }
    size_t at = head.find("\r\n");
    while (at != std::string::npos) {
      auto next = head.find("\r\n", at + 2);
      auto line = std::string_view(head).substr(at + 2, next == std::string::npos ? next : next - at - 2);
      at = next;
      auto colon = line.find(':');
      if (colon == std::string_view::npos) continue;
      auto value = line.substr(colon + 1);
      while (value.starts_with(' ')) value.remove_prefix(1);
      if (same(line.substr(0, colon), "Location")) location = std::string(value);
      if (same(line.substr(0, colon), "Content-Length")) body_expected = static_cast<size_t>(std::strtoull(std::string(value).c_str(), nullptr, 10));
    }
    return true;
  }

  // Another path on the same host is asked for; another host counts as an answer.
  bool follow() {
    if (status < 300 || status >= 400 || location.empty()) return false;
    auto prefix = std::string(tls() ? "https://" : "http://") + authority();
    auto to = std::exchange(location, {});
    if (to.starts_with(prefix + "/")) to = to.substr(prefix.size());
    if (!to.starts_with('/') || to.starts_with("//") || !clean(to)) return false;
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
    if (status >= 200 && status < 400) return done({true, body});
    done({false, "HTTP probe failed with statuscode: " + std::to_string(status)});
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

std::unique_ptr<Handle::Impl> run_http(Loop& loop, const Handler& handler, const HandlerTarget& target, HandlerRunner::Done done) {
  return std::make_unique<Http>(loop, handler, target, std::move(done));
}

std::unique_ptr<Handle::Impl> run_tcp(Loop& loop, const Handler& handler, const HandlerTarget& target, HandlerRunner::Done done) {
  return std::make_unique<Tcp>(loop, handler, target, std::move(done));
}

}  // namespace lotse::agent
