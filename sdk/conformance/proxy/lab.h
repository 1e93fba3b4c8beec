// Lab: a small network of namespaces in which a proxy is tried with real sockets. The case's process is the node; the
// others are namespaces that vanish with it. Only the process's first thread may call begin(), before there is another.
//
//   client 192.0.2.2, .130 ---- 192.0.2.1 [node] 198.51.100.1 ---- 198.51.100.2 [other node] 10.88.2.13 ("far")
//                                  br0 10.88.1.1
//            "one" 10.88.1.11, "two" 10.88.1.12, "caller" 10.88.1.20           IPv6: the same with fd00:…
//
// Every pod answers on TCP and UDP 8080 (SCTP too, where the kernel has it) with its name and the address that it was
// asked from.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lotse::conformance {

enum class Protocol { kTcp, kUdp, kSctp };

struct Outcome {
  enum Kind { kAnswered, kRefused, kSilent } kind = kSilent;
  std::string who, source;  // whose answer, and from what address they were asked
  std::string text() const;
};

// A socket of one of the namespaces that has said hello once and can say it again.
class Talk {
 public:
  Talk(int fd, Protocol protocol) : fd_(fd), protocol_(protocol) {}
  ~Talk();
  Talk(Talk&& other) noexcept : fd_(other.fd_), protocol_(other.protocol_) { other.fd_ = -1; }
  Outcome again(int patience_ms = 5000);
  int fd() const { return fd_; }

 private:
  int fd_;
  Protocol protocol_;
};

class Lab {
 public:
  static void begin();  // throws check::Skipped where there is no right to make namespaces
  static Lab& here();

  struct Place {
    std::string name;
    int ns = -1;
    std::string ip4, ip6;
  };
  const Place& place(const std::string& name) const { return places_.at(name); }
  // An address of a place: of the node's the one that the client sees.
  std::string ip(const std::string& name, bool six = false) const;

  // Connects from a place and asks once. from_ip: the source address.
  Outcome ask(const std::string& from, const std::string& ip, int port, Protocol protocol = Protocol::kTcp,
              int patience_ms = 5000, const std::string& from_ip = {});
  Talk talk(const std::string& from, const std::string& ip, int port, Protocol protocol);

  bool has_sctp() const { return sctp_; }
  bool has_ipv6() const { return ipv6_; }
  void within(const std::string& place, const std::function<void()>& fn) const;  // in a thread of its own

 private:
  Lab();
  void make_places();
  void connect_places();
  void serve(const std::string& name);
  void listen(const std::string& name, int family, Protocol protocol);
  struct Server;
  std::map<std::string, Place> places_;
  std::shared_ptr<Server> server_;
  bool sctp_ = false, ipv6_ = false;
};

// Runs a program by its argument array in the node's namespace and gives what it printed. Not 0: Wrong, with its words.
std::string run_program(const std::vector<std::string>& argv, const std::string& input = {});
int try_program(const std::vector<std::string>& argv, const std::string& input, std::string* output);

}  // namespace lotse::conformance
