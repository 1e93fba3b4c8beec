// SPDX-License-Identifier: Apache-2.0
//
// Transport: derive it; abi/transport.h says what it must hold to. Requests go to host().api(), certificates come by a
// TlsSubscription.
#pragma once
#include "lotse/abi/transport.h"
#include "lotse/call.hpp"
#include "lotse/plugin.hpp"

namespace lotse::sdk {

class Transport : public Instance {
 public:
  explicit Transport(const Host& host) : Instance(host) {
    c_.base = base_of(sizeof c_);
    c_.start = [](void* self, lotse_error* error) {
      return guarded("start", error, [&] { as<Transport>(self)->start(); });
    };
    c_.drain = [](void* self, const lotse_call* raw) {
      try {
        Call call(*raw);
        try {
          as<Transport>(self)->drain(call);
        } catch (...) {
          call.fail_caught("drain");
        }
      } catch (...) {
        raw->done(raw->ctx, LOTSE_INTERNAL, bytes("out of memory"));
      }
    };
    c_.addresses = [](void* self, void (*on_address)(void*, lotse_bytes), void* ctx) {
      auto* transport = as<Transport>(self);
      transport->host().protect(
          [&] {
            for (const std::string& address : transport->addresses()) on_address(ctx, bytes(address));
          },
          "addresses");
    };
  }
  const lotse_instance* c_instance() override { return &c_.base; }

  // [init] Binds and begins to accept; throws Failure with a sentence that names the address.
  virtual void start() = 0;
  // [any] Stops accepting; call.done() when all connections have ended, or at the call's deadline.
  virtual void drain(Call call) = 0;
  // [any] "0.0.0.0:6443"
  virtual std::vector<std::string> addresses() = 0;

 private:
  lotse_transport c_{};
};

}  // namespace lotse::sdk
