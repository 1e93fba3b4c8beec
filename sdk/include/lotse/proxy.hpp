// SPDX-License-Identifier: Apache-2.0
//
// Proxy: derive it; abi/proxy.h has the maps. Calls come one at a time [worker].
#pragma once
#include "lotse/abi/proxy.h"
#include "lotse/message.hpp"

namespace lotse::sdk {

class Proxy : public Instance {
 public:
  explicit Proxy(const Host& host) : Instance(host) {
    c_.base = base_of(sizeof c_);
    c_.info = LOTSE_SDK_MESSAGE(Proxy, info);
    c_.resync = LOTSE_SDK_MESSAGE(Proxy, resync);
    c_.apply = LOTSE_SDK_MESSAGE(Proxy, apply);
    c_.remove_all = LOTSE_SDK_MESSAGE(Proxy, remove_all);
  }
  const lotse_instance* c_instance() override { return &c_.base; }

  virtual void info(const Msg& request, Call call) = 0;
  virtual void resync(const Msg& table, Call call) = 0;
  virtual void apply(const Msg& changes, Call call) = 0;
  virtual void remove_all(const Msg& request, Call call) = 0;

 private:
  lotse_proxy c_{};
};

}  // namespace lotse::sdk
