// lotse.host.tls/1: the certificates that transports serve with. They are made anew in the running process before they expire, and
// subscribers are told.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/base/loop.h"
#include "core/security/security.h"
#include "lotse/abi/transport.h"

namespace lotse::daemon {

class TlsMaterial {
 public:
  // REQUIRES: all outlive it; rotation runs on loop.
  TlsMaterial(security::Authority& authority, security::CurvePair bus, Loop& loop, std::vector<std::string> dns_names, std::vector<std::string> ips);
  ~TlsMaterial();
  // [init] Makes or reads the serving certificate and plans the next look.
  Status begin();
  // [loop] Ends the planning.
  void end();
  const lotse_host_tls* service() const { return &service_; }
  // [loop] Looks now: when the clock was set, for `lotse certs rotate`, and for tests with another clock.
  Status renew();
  // [loop] Called whenever it was time to look: for what else expires. Before begin().
  void also(std::function<void()> look) { also_ = std::move(look); }

 private:
  struct Subscriber {
    void (*fn)(void*, const lotse_tls_material*);
    void* ctx;
  };
  void plan();
  lotse_tls_material material() const;

  security::Authority& authority_;
  security::CurvePair bus_;
  Loop& loop_;
  std::vector<std::string> dns_names_, ips_;
  lotse_host_tls service_{};
  mutable std::recursive_mutex mutex_;
  security::KeyPair pair_;
  std::string ca_;
  uint32_t generation_ = 0;
  uint64_t next_id_ = 1;
  std::map<uint64_t, Subscriber> subscribers_;
  std::function<void()> also_;
  Handle timer_;
  std::shared_ptr<bool> planning_ = std::make_shared<bool>(true);  // until end()
};

}  // namespace lotse::daemon
