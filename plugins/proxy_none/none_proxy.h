// No proxy: Services get addresses and DNS names, but nothing in the kernel sends what goes there anywhere. For control planes
// without traffic, hollow nodes, and clusters whose network plugin brings its own proxy.
#pragma once
#include "lotse/proxy.hpp"

namespace lotse::proxy_none {

class NoneProxy : public sdk::Proxy {
 public:
  NoneProxy(const sdk::Host& host, const sdk::Config&) : Proxy(host) {}
  static std::vector<lotse_key> keys() { return {}; }
  void info(const sdk::Msg&, sdk::Call call) override {
    call.done(sdk::Msg::map({{"mode", "none"}, {"families", sdk::Msg::array()}}));
  }
  void resync(const sdk::Msg&, sdk::Call call) override { call.done(sdk::Msg::map()); }
  void apply(const sdk::Msg&, sdk::Call call) override { call.done(sdk::Msg::map()); }
  void remove_all(const sdk::Msg&, sdk::Call call) override { call.done(sdk::Msg::map()); }
};

}  // namespace lotse::proxy_none
