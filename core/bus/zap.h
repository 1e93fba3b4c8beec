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
  const Status& status() const { return status_; }  // why nobody is let in: one of these may live in a Context

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
  Status status_;
};

}  // namespace lotse::bus
