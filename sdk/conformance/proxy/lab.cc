#include "sdk/conformance/proxy/lab.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <thread>

#include "sdk/conformance/call.h"
#include "sdk/conformance/check.h"

namespace lotse::conformance {
namespace {

constexpr int kPort = 8080;
std::unique_ptr<Lab> lab;

union Address {
  sockaddr any;
  sockaddr_in four;
  sockaddr_in6 six;
};

socklen_t parse(const std::string& ip, int port, Address* out) {
  memset(out, 0, sizeof *out);
  if (inet_pton(AF_INET, ip.c_str(), &out->four.sin_addr) == 1) {
    out->four.sin_family = AF_INET;
    out->four.sin_port = htons(static_cast<uint16_t>(port));
    return sizeof out->four;
  }
  require(inet_pton(AF_INET6, ip.c_str(), &out->six.sin6_addr) == 1, ip + " is no address");
  out->six.sin6_family = AF_INET6;
  out->six.sin6_port = htons(static_cast<uint16_t>(port));
  return sizeof out->six;
}

std::string text_of(const Address& a) {
  char text[64];
  if (a.any.sa_family == AF_INET)
    inet_ntop(AF_INET, &a.four.sin_addr, text, sizeof text);
  else
    inet_ntop(AF_INET6, &a.six.sin6_addr, text, sizeof text);
  return text;
}

int open_socket(int family, Protocol protocol) {
  return socket(family, (protocol == Protocol::kUdp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK,
                protocol == Protocol::kSctp ? IPPROTO_SCTP : 0);
}

Outcome of_error(int error) {
  Outcome out;
  out.kind = error == ETIMEDOUT || error == EAGAIN ? Outcome::kSilent : Outcome::kRefused;
  return out;
}

int left_ms(std::chrono::steady_clock::time_point until) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

Outcome hello(int fd, Protocol protocol, int patience_ms) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
  char buffer[256];
  if (protocol == Protocol::kUdp)
    while (recv(fd, buffer, sizeof buffer, 0) > 0) {  // a late answer to an earlier question
    }
  if (send(fd, "hello\n", 6, MSG_NOSIGNAL) < 0) return of_error(errno);
  pollfd ready{fd, POLLIN, 0};
  if (poll(&ready, 1, left_ms(until)) <= 0) return {};
  const ssize_t size = recv(fd, buffer, sizeof buffer, 0);
  if (size <= 0) return of_error(size == 0 ? ECONNRESET : errno);
  const std::string said(buffer, static_cast<size_t>(size));
  const size_t space = said.find(' ');
  require(space != said.npos && said.ends_with('\n'), "a server said '" + said + "'");
  return {Outcome::kAnswered, said.substr(0, space), said.substr(space + 1, said.size() - space - 2)};
}

}  // namespace

std::string Outcome::text() const {
  if (kind == kRefused) return "refused";
  return kind == kSilent ? "silence" : "an answer of " + who + " to " + source;
}

Talk::~Talk() {
  if (fd_ >= 0) close(fd_);
}
Outcome Talk::again(int patience_ms) {
  return hello(fd_, protocol_, patience_ms);
}

// One thread for all servers: it accepts and answers.
struct Lab::Server {
  struct Door {
    int fd;
    std::string name;
    bool listens, datagrams;
  };
  std::mutex mutex;
  std::vector<Door> doors;
  int wake[2] = {-1, -1};

  void add(Door door) {
    std::lock_guard lock(mutex);
    doors.push_back(std::move(door));
    (void)!write(wake[1], "x", 1);
  }
  void run() {
    for (;;) {
      std::vector<Door> now;
      {
        std::lock_guard lock(mutex);
        now = doors;
      }
      std::vector<pollfd> fds{{wake[0], POLLIN, 0}};
      for (const auto& d : now) fds.push_back({d.fd, POLLIN, 0});
      if (poll(fds.data(), fds.size(), -1) < 0) continue;
      char drop[64];
      if (fds[0].revents) (void)!read(wake[0], drop, sizeof drop);
      for (size_t i = 0; i < now.size(); ++i)
        if (fds[i + 1].revents) answer(now[i]);
    }
  }
  void answer(const Door& door) {
    Address peer;
    socklen_t size = sizeof peer;
    if (door.listens) {
      const int fd = accept4(door.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) add({fd, door.name, false, false});
      return;
    }
    char buffer[256];
    ssize_t got;
    if (door.datagrams) {
      got = recvfrom(door.fd, buffer, sizeof buffer, 0, &peer.any, &size);
    } else {
      got = recv(door.fd, buffer, sizeof buffer, 0);
      if (got <= 0) {
        std::lock_guard lock(mutex);
        std::erase_if(doors, [&](const Door& d) { return d.fd == door.fd; });
        close(door.fd);
        return;
      }
      getpeername(door.fd, &peer.any, &size);
    }
    if (got <= 0) return;
    const std::string text = door.name + " " + text_of(peer) + "\n";
    if (door.datagrams)
      (void)!sendto(door.fd, text.data(), text.size(), MSG_NOSIGNAL, &peer.any, size);
    else
      (void)!send(door.fd, text.data(), text.size(), MSG_NOSIGNAL);
  }
};

void Lab::begin() {
  if (unshare(CLONE_NEWNS | CLONE_NEWNET) != 0)
    check::skip(std::string("no right to make network namespaces: ") + strerror(errno));
  try {
    lab.reset(new Lab());
    lab->make_places();
  } catch (const Wrong& wrong) {
    check::fail(wrong.what);
  }
}

Lab& Lab::here() {
  if (lab->server_ == nullptr) {
    lab->connect_places();
    lab->server_ = std::make_shared<Server>();
    (void)!pipe2(lab->server_->wake, O_CLOEXEC | O_NONBLOCK);
    for (const char* name : {"one", "two", "far", "caller"}) lab->serve(name);
    std::thread([server = lab->server_] { server->run(); }).detach();
  }
  return *lab;
}

Lab::Lab() {
  const int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ipv6_ = fd >= 0;
  if (fd >= 0) close(fd);
  const int sctp = open_socket(AF_INET, Protocol::kSctp);
  sctp_ = sctp >= 0;
  if (sctp >= 0) close(sctp);
}

void Lab::make_places() {
  const Place all[] = {{"node", -1, "192.0.2.1", "fd00:192::1"},      {"client", -1, "192.0.2.2", "fd00:192::2"},
                       {"one", -1, "10.88.1.11", "fd00:88:1::11"},    {"two", -1, "10.88.1.12", "fd00:88:1::12"},
                       {"caller", -1, "10.88.1.20", "fd00:88:1::20"}, {"far", -1, "10.88.2.13", "fd00:88:2::13"}};
  for (Place p : all) {
    if (p.name != "node") require(unshare(CLONE_NEWNET) == 0, "no network namespace");
    p.ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    places_[p.name] = p;
  }
  require(setns(places_["node"].ns, CLONE_NEWNET) == 0, "no way back to the node's namespace");
}

void Lab::within(const std::string& place, const std::function<void()>& fn) const {
  std::string wrong;
  std::thread([&] {
    if (setns(places_.at(place).ns, CLONE_NEWNET) != 0) wrong = "no way into the namespace of " + place;
    try {
      if (wrong.empty()) fn();
    } catch (const Wrong& w) {
      wrong = w.what;
    }
  }).join();
  require(wrong.empty(), wrong);
}

void Lab::connect_places() {
  const std::string fds = "/proc/" + std::to_string(getpid()) + "/fd/";
  auto peer = [&](const std::string& link, const std::string& name) {
    return "link add " + link + " type veth peer name eth0 netns " + fds + std::to_string(places_[name].ns) + "\n";
  };
  auto six = [&](const std::string& line) { return ipv6_ ? line + "\n" : std::string(); };
  auto configure = [&](const std::string& name, const std::string& text) {
    within(name, [&] {
      // A new namespace has what the first one has, forwarding too.
      for (const char* path :
           {"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/conf/all/rp_filter",
            "/proc/sys/net/ipv4/conf/default/rp_filter", "/proc/sys/net/ipv6/conf/default/accept_dad",
            "/proc/sys/net/ipv6/conf/default/accept_ra"}) {
        const int fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd >= 0) (void)!write(fd, "0", 1), close(fd);
      }
      if (!text.empty()) run_program({"ip", "-batch", "-"}, text);
    });
  };
  for (const auto& [name, place] : places_) configure(name, "link set lo up\n");
  std::string node = "link add br0 type bridge\naddr add 10.88.1.1/24 dev br0\n" +
                     six("addr add fd00:88:1::1/64 dev br0 nodad") + "link set br0 up\n";
  for (const char* name : {"one", "two", "caller"}) {
    const std::string link = std::string("v-") + name;
    node +=
        peer(link, name) + "link set " + link + " master br0 up\nlink set " + link + " type bridge_slave hairpin on\n";
  }
  node += peer("v-client", "client") + "addr add 192.0.2.1/24 dev v-client\n" +
          six("addr add fd00:192::1/64 dev v-client nodad") + "link set v-client up\n";
  node += peer("v-far", "far") + "addr add 198.51.100.1/24 dev v-far\n" +
          six("addr add fd00:198::1/64 dev v-far nodad") + "link set v-far up\n";
  node += "route add 10.88.2.0/24 via 198.51.100.2\nroute add default via 198.51.100.2\n" +
          six("route add fd00:88:2::/64 via fd00:198::2") + six("route add ::/0 via fd00:198::2");
  configure("node", node);
  for (const char* path : {"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"}) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) (void)!write(fd, "1", 1), close(fd);
  }
  for (const char* name : {"one", "two", "caller"}) {
    const Place& p = places_[name];
    configure(name, "addr add " + p.ip4 + "/24 dev eth0\n" + six("addr add " + p.ip6 + "/64 dev eth0 nodad") +
                        "link set eth0 up\nroute add default via 10.88.1.1\n" + six("route add ::/0 via fd00:88:1::1"));
  }
  configure("client",
            "addr add 192.0.2.2/24 dev eth0\naddr add 192.0.2.130/24 dev eth0\n" +
                six("addr add fd00:192::2/64 dev eth0 nodad") + six("addr add fd00:192::130/64 dev eth0 nodad") +
                "link set eth0 up\nroute add default via 192.0.2.1\n" + six("route add ::/0 via fd00:192::1"));
  configure("far", "addr add 198.51.100.2/24 dev eth0\naddr add 10.88.2.13/32 dev lo\n" +
                       six("addr add fd00:198::2/64 dev eth0 nodad") + six("addr add fd00:88:2::13/128 dev lo nodad") +
                       "link set eth0 up\nroute add default via 198.51.100.1\n" +
                       six("route add ::/0 via fd00:198::1"));
}

void Lab::serve(const std::string& name) {
  for (Protocol protocol : {Protocol::kTcp, Protocol::kUdp, Protocol::kSctp}) {
    if (protocol == Protocol::kSctp && !sctp_) continue;
    listen(name, AF_INET, protocol);
    if (ipv6_) listen(name, AF_INET6, protocol);
  }
}

void Lab::listen(const std::string& name, int family, Protocol protocol) {
  within(name, [&] {
    const Place& p = places_.at(name);
    Address at;
    const socklen_t size = parse(family == AF_INET ? p.ip4 : p.ip6, kPort, &at);
    const int fd = open_socket(family, protocol);
    require(fd >= 0 && bind(fd, &at.any, size) == 0, "no server in " + name + ": " + strerror(errno));
    if (protocol != Protocol::kUdp) require(::listen(fd, 512) == 0, "nobody listens in " + name);
    server_->add({fd, name, protocol != Protocol::kUdp, protocol == Protocol::kUdp});
  });
}

std::string Lab::ip(const std::string& name, bool six) const {
  const Place& p = places_.at(name);
  return six ? p.ip6 : p.ip4;
}

Talk Lab::talk(const std::string& from, const std::string& ip, int port, Protocol protocol) {
  int fd = -1;
  within(from, [&] {
    Address to;
    const socklen_t size = parse(ip, port, &to);
    fd = open_socket(to.any.sa_family, protocol);
    require(fd >= 0, "no socket in " + from);
    if (connect(fd, &to.any, size) != 0 && errno != EINPROGRESS) require(false, "cannot connect to " + ip);
    pollfd ready{fd, POLLOUT, 0};
    require(poll(&ready, 1, 5000) == 1, "no connection to " + ip);
  });
  return Talk(fd, protocol);
}

Outcome Lab::ask(const std::string& from, const std::string& ip, int port, Protocol protocol, int patience_ms,
                 const std::string& from_ip) {
  Outcome out;
  within(from, [&] {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(patience_ms);
    Address to, source;
    const socklen_t size = parse(ip, port, &to);
    const int fd = open_socket(to.any.sa_family, protocol);
    require(fd >= 0, "no socket in " + from);
    Talk closes(fd, protocol);
    if (!from_ip.empty()) {
      const socklen_t own = parse(from_ip, 0, &source);
      require(bind(fd, &source.any, own) == 0, "no socket with the address " + from_ip);
    }
    if (connect(fd, &to.any, size) != 0) {
      if (errno != EINPROGRESS) return void(out = of_error(errno));
      pollfd ready{fd, POLLOUT, 0};
      if (poll(&ready, 1, left_ms(until)) <= 0) return;
      int error = 0;
      socklen_t length = sizeof error;
      getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
      if (error != 0) return void(out = of_error(error));
    }
    out = hello(fd, protocol, left_ms(until));
  });
  return out;
}

}  // namespace lotse::conformance
