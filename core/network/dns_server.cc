#include "core/network/dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <list>
#include <sstream>

#include "core/base/ids.h"
#include "core/base/log.h"

namespace lotse::network::dns {
namespace {

constexpr size_t kForwardsMax = 512, kConnectionsMax = 128;
constexpr int kTries = 2;
constexpr Duration kIdle = std::chrono::seconds(10);

struct Address {
  sockaddr_storage raw{};
  socklen_t size = 0;
  static std::optional<Address> parse(std::string text, uint16_t port) {
    if (const size_t colon = text.rfind(':'); colon != text.npos && text.find(':') == colon) {
      port = static_cast<uint16_t>(std::atoi(text.c_str() + colon + 1));
      text.resize(colon);
    }
    Address a;
    auto* four = reinterpret_cast<sockaddr_in*>(&a.raw);
    auto* six = reinterpret_cast<sockaddr_in6*>(&a.raw);
    if (inet_pton(AF_INET, text.c_str(), &four->sin_addr) == 1) {
      four->sin_family = AF_INET;
      four->sin_port = htons(port);
      a.size = sizeof *four;
    } else if (inet_pton(AF_INET6, text.c_str(), &six->sin6_addr) == 1) {
      six->sin6_family = AF_INET6;
      six->sin6_port = htons(port);
      a.size = sizeof *six;
    } else {
      return std::nullopt;
    }
    return a;
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&raw); }
};

// A descriptor and its watch; closed after the watch is gone.
struct Fd {
  int fd = -1;
  Handle watch;
  explicit Fd(int f) : fd(f) {}
  Fd(Fd&& o) noexcept : fd(std::exchange(o.fd, -1)), watch(std::move(o.watch)) {}
  ~Fd() {
    watch.reset();
    if (fd >= 0) close(fd);
  }
};

int open_socket(int family, int kind) { return socket(family, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

class DnsServer : public Server {
 public:
  DnsServer(Loop& loop, Config config, const Zone& zone) : loop_(loop), config_(std::move(config)), zone_(zone) {}

  Status begin() {
    port_ = config_.port;
    for (const auto& text : config_.addresses) {
      auto address = Address::parse(text, port_);
      if (!address) return Status(Reason::kInternalError, "'" + text + "' is not an address for the DNS server");
      LOTSE_CHECK_OK(listen_udp(*address, text));
      LOTSE_CHECK_OK(listen_tcp(text));
    }
    return {};
  }

  uint16_t port() const override { return port_; }
  Counts counts() const override { return counts_; }

 private:
  using Reply = std::function<void(std::string)>;

  Status failed(const std::string& text) {
    return Status(Reason::kInternalError, "the DNS server cannot listen on " + text + " port " + std::to_string(port_) + ": " + strerror(errno));
  }

  Status listen_udp(const Address& address, const std::string& text) {
    Fd s(open_socket(address.raw.ss_family, SOCK_DGRAM));
    int on = 1;
    setsockopt(s.fd, SOL_IP, IP_FREEBIND, &on, sizeof on);
    if (s.fd < 0 || bind(s.fd, address.get(), address.size) != 0) return failed(text);
    if (port_ == 0) {
      Address bound;
      bound.size = sizeof bound.raw;
      getsockname(s.fd, reinterpret_cast<sockaddr*>(&bound.raw), &bound.size);
      port_ = ntohs(reinterpret_cast<sockaddr_in*>(&bound.raw)->sin_port);
    }
    sockets_.push_back(std::move(s));
    const int fd = sockets_.back().fd;
    sockets_.back().watch = loop_.watch_fd(fd, true, false, [this, fd] { read_udp(fd); });
    return {};
  }

  Status listen_tcp(const std::string& text) {
    auto address = Address::parse(text, port_);
    Fd s(open_socket(address->raw.ss_family, SOCK_STREAM));
    int on = 1;
    setsockopt(s.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(s.fd, SOL_IP, IP_FREEBIND, &on, sizeof on);
    if (s.fd < 0 || bind(s.fd, address->get(), address->size) != 0 || listen(s.fd, 64) != 0) return failed(text);
    sockets_.push_back(std::move(s));
    const int fd = sockets_.back().fd;
    sockets_.back().watch = loop_.watch_fd(fd, true, false, [this, fd] { accept_tcp(fd); });
    return {};
  }

  void read_udp(int fd) {
    char buffer[4096];
    for (int i = 0; i < 64; ++i) {
      Address from;
      from.size = sizeof from.raw;
      const ssize_t size = recvfrom(fd, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from.raw), &from.size);
      if (size < 0) return;
      question({buffer, static_cast<size_t>(size)}, false, [fd, from](std::string reply) {
        if (!reply.empty()) (void)!sendto(fd, reply.data(), reply.size(), MSG_DONTWAIT, from.get(), from.size);
      });
    }
  }

  // The one way in: parse, answer from the zone, or ask on.
  void question(std::string_view message, bool tcp, Reply reply) {
    auto query = parse_query(message);
    if (!query) return reply({});
    ++counts_.questions;
    const size_t size_max = tcp ? 0 : query->size_max;
    std::string ask_for;
    auto answer = zone_.answer(*query, &ask_for);
    if (answer && ask_for.empty()) return reply(write(*query, *answer, size_max));
    const std::string target = answer ? ask_for : query->name;
    // An ExternalName may point into our own zone; one that points at another of its kind is asked of the others, so it ends.
    if (answer) {
      Query inner = *query;
      inner.name = target;
      std::string further;
      if (auto more = zone_.answer(inner, &further); more && further.empty()) {
        more->answers.insert(more->answers.begin(), answer->answers.begin(), answer->answers.end());
        return reply(write(*query, *more, size_max));
      }
    }
    forward(target, query->type, [query = *query, answer, size_max, reply](std::optional<Response> response) {
      Answer out = answer.value_or(Answer{});
      out.authoritative = answer.has_value();
      if (!response) {
        out.code = kServFail;
      } else {
        out.code = response->code;
        for (auto& r : response->answers)
          if (r.type != kOpt) out.answers.push_back(r);
      }
      reply(write(query, out, size_max));
    });
  }

  // ---- asking others ----
  struct Forward {
    std::string name;
    uint16_t type, id;
    size_t server = 0;
    int tries = 0;
    bool tcp = false;
    std::string received;
    std::optional<Fd> socket;
    Handle timer;
    std::function<void(std::optional<Response>)> done;
  };
  using ForwardIt = std::list<Forward>::iterator;

  void forward(const std::string& name, uint16_t type, std::function<void(std::optional<Response>)> done) {
    if (config_.upstreams.empty() || forwards_.size() >= kForwardsMax) {
      ++counts_.failed;
      return done(std::nullopt);
    }
    ++counts_.forwarded;
    forwards_.push_back({});
    auto it = std::prev(forwards_.end());
    it->name = name;
    it->type = type;
    it->done = std::move(done);
    ask(it);
  }

  // A socket and a number of its own for each try: who answers must have seen the question (RFC 5452).
  void ask(ForwardIt it) {
    if (it->tries++ >= kTries * static_cast<int>(config_.upstreams.size()) + 1) return finish(it, std::nullopt);
    uint8_t raw[2];
    fill_random(raw);
    it->id = static_cast<uint16_t>(raw[0] << 8 | raw[1]);
    it->received.clear();
    auto address = Address::parse(config_.upstreams[it->server++ % config_.upstreams.size()], 53);
    it->timer = loop_.after(config_.upstream_timeout, [this, it] { ask(it); });
    it->socket.reset();
    if (!address) return;
    it->socket.emplace(open_socket(address->raw.ss_family, it->tcp ? SOCK_STREAM : SOCK_DGRAM));
    const int result = connect(it->socket->fd, address->get(), address->size);
    std::string query = write_query(it->id, it->name, it->type);
    if (!it->tcp) {
      if (result == 0) (void)!send(it->socket->fd, query.data(), query.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      it->socket->watch = loop_.watch_fd(it->socket->fd, true, false, [this, it] { read_reply(it); });
      return;
    }
    query.insert(0, {static_cast<char>(query.size() >> 8), static_cast<char>(query.size() & 255)});
    it->socket->watch = loop_.watch_fd(it->socket->fd, false, true, [this, it, query] {
      if (send(it->socket->fd, query.data(), query.size(), MSG_DONTWAIT | MSG_NOSIGNAL) != static_cast<ssize_t>(query.size())) return ask(it);
      const int fd = it->socket->fd;
      it->socket->watch = loop_.watch_fd(fd, true, false, [this, it] { read_reply(it); });
    });
  }

  void read_reply(ForwardIt it) {
    char buffer[4096];
    const ssize_t size = recv(it->socket->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size <= 0) {
      if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
      return ask(it);  // refused, or closed early
    }
    std::string_view message(buffer, static_cast<size_t>(size));
    if (it->tcp) {
      it->received.append(message);
      if (it->received.size() < 2) return;
      const size_t wanted = static_cast<uint8_t>(it->received[0]) << 8 | static_cast<uint8_t>(it->received[1]);
      if (it->received.size() < wanted + 2) return;
      message = std::string_view(it->received).substr(2, wanted);
    }
    auto response = parse_response(message);
    if (!response || response->id != it->id || response->question != it->name || response->type != it->type) return;
    if (response->truncated && !it->tcp) {
      it->tcp = true;
      --it->server;
      return ask(it);
    }
    finish(it, std::move(response));
  }

  void finish(ForwardIt it, std::optional<Response> response) {
    if (!response) ++counts_.failed;
    auto done = std::move(it->done);
    // The entry's own callbacks may be running: it goes on the next turn.
    it->timer.reset();
    auto keep = std::make_shared<std::list<Forward>>();
    keep->splice(keep->begin(), forwards_, it);
    loop_.post([keep] {});
    done(std::move(response));
  }

  // ---- TCP clients ----
  struct Connection {
    Fd socket;
    std::string in, out;
    Handle timer;
    bool waiting = false;
    explicit Connection(int fd) : socket(fd) {}
  };
  using ConnectionPtr = std::shared_ptr<Connection>;

  void accept_tcp(int listener) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (connections_.size() >= kConnectionsMax) {
      close(fd);
      return;
    }
    auto c = std::make_shared<Connection>(fd);
    connections_.insert(c);
    c->timer = loop_.after(kIdle, [this, c] { drop(c); });
    listen_to(c, true, false);
  }

  void listen_to(const ConnectionPtr& c, bool read, bool write) {
    c->socket.watch = loop_.watch_fd(c->socket.fd, read, write, [this, weak = std::weak_ptr<Connection>(c)] {
      if (auto connection = weak.lock()) serve(connection);
    });
  }

  void serve(const ConnectionPtr& c) {
    if (!c->out.empty()) {
      const ssize_t sent = send(c->socket.fd, c->out.data(), c->out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return drop(c);
      if (sent > 0) c->out.erase(0, static_cast<size_t>(sent));
      if (c->out.empty()) listen_to(c, true, false);
      return;
    }
    char buffer[4096];
    const ssize_t size = recv(c->socket.fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (size <= 0) {
      if (size < 0 && errno == EAGAIN) return;
      return drop(c);
    }
    c->in.append(buffer, static_cast<size_t>(size));
    if (c->in.size() > 8192) return drop(c);
    next_question(c);
  }

  void next_question(const ConnectionPtr& c) {
    if (c->waiting || c->in.size() < 2) return;
    const size_t size = static_cast<uint8_t>(c->in[0]) << 8 | static_cast<uint8_t>(c->in[1]);
    if (c->in.size() < size + 2) return;
    std::string message = c->in.substr(2, size);
    c->in.erase(0, size + 2);
    c->waiting = true;
    question(message, true, [this, weak = std::weak_ptr<Connection>(c)](std::string reply) {
      auto connection = weak.lock();
      if (!connection) return;
      connection->waiting = false;
      if (reply.empty()) return drop(connection);
      connection->out.append({static_cast<char>(reply.size() >> 8), static_cast<char>(reply.size() & 255)});
      connection->out += reply;
      connection->timer = loop_.after(kIdle, [this, weak] {
        if (auto idle = weak.lock()) drop(idle);
      });
      listen_to(connection, false, true);
      next_question(connection);
    });
  }

  void drop(const ConnectionPtr& c) {
    connections_.erase(c);
    loop_.post([c] {});  // its watch may be what is running
  }

  Loop& loop_;
  Config config_;
  const Zone& zone_;
  uint16_t port_ = 0;
  Counts counts_;
  std::list<Fd> sockets_;
  std::list<Forward> forwards_;
  std::set<ConnectionPtr> connections_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Loop& loop, Config config, const Zone& zone) {
  auto server = std::make_unique<DnsServer>(loop, std::move(config), zone);
  LOTSE_CHECK_OK(server->begin());
  return std::unique_ptr<Server>(std::move(server));
}

std::vector<std::string> nameservers(std::string_view resolv_conf, const std::vector<std::string>& except) {
  std::vector<std::string> out;
  std::istringstream lines{std::string(resolv_conf)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word, server;
    if (!(words >> word >> server) || word != "nameserver") continue;
    if (std::find(except.begin(), except.end(), server) == except.end() && out.size() < 3) out.push_back(server);
  }
  return out;
}

}  // namespace lotse::network::dns
