// ZAP (ZeroMQ RFC 27): ZeroMQ asks whether a CURVE key may connect. One handler a context, on the bus thread.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/bus/bus.h"

namespace lotse::bus {

class Zap {
 public:
  // domain -> may this public key (Z85) connect?
  using Rules = std::map<std::string, std::function<bool(const std::string& public_z85, const std::string& address)>>;
  // [bus loop]
  Zap(Context& context, Rules rules);
  ~Zap();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace lotse::bus
