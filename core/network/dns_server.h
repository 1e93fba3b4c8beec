// The DNS server of a node: UDP and TCP on the cluster's DNS addresses; names of the zone are answered from memory, all others are
// passed on to the machine's own servers.
//
// Threads: one loop. Limits: 512 questions under way to others, 128 TCP connections of 10 s idle at most.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/base/loop.h"
#include "core/base/result.h"
#include "core/network/dns_zone.h"

namespace lotse::network::dns {

class Server {
 public:
  struct Config {
    std::vector<std::string> addresses;  // to listen on
    uint16_t port = 53;                  // 0: any (tests); see port()
    std::vector<std::string> upstreams;  // "192.0.2.1" or "192.0.2.1:5353"
    Duration upstream_timeout = std::chrono::seconds(2);
  };
  // [loop] Fails in a sentence that names the address. zone outlives the server.
  static Result<std::unique_ptr<Server>> start(Loop& loop, Config config, const Zone& zone);
  virtual ~Server() = default;
  virtual uint16_t port() const = 0;
  struct Counts { uint64_t questions = 0, forwarded = 0, failed = 0; };
  virtual Counts counts() const = 0;
};

// The nameservers of a resolv.conf, without those in `except` (ours).
std::vector<std::string> nameservers(std::string_view resolv_conf, const std::vector<std::string>& except);

}  // namespace lotse::network::dns
