// SPDX-License-Identifier: Apache-2.0
//
// Runtime: derive it and override what the plugin can do (abi/runtime.h has the maps). A function ends its call by
// call.done(answer), at once or later and from any thread, or throws Failure. All are [worker]; what is not
// overridden answers LOTSE_UNSUPPORTED.
#pragma once
#include "lotse/abi/runtime.h"
#include "lotse/message.hpp"

namespace lotse::sdk {

class Runtime : public Instance {
 public:
  explicit Runtime(const Host& host) : Instance(host) {
    c_.base = base_of(sizeof c_);
#define LOTSE_SDK_FILL(NAME) c_.NAME = LOTSE_SDK_MESSAGE(Runtime, NAME);
    LOTSE_SDK_FILL(info)
    LOTSE_SDK_FILL(sandbox_run)
    LOTSE_SDK_FILL(sandbox_stop)
    LOTSE_SDK_FILL(sandbox_remove)
    LOTSE_SDK_FILL(sandbox_status)
    LOTSE_SDK_FILL(sandbox_list)
    LOTSE_SDK_FILL(container_create)
    LOTSE_SDK_FILL(container_start)
    LOTSE_SDK_FILL(container_stop)
    LOTSE_SDK_FILL(container_remove)
    LOTSE_SDK_FILL(container_status)
    LOTSE_SDK_FILL(container_list)
    LOTSE_SDK_FILL(container_update)
    LOTSE_SDK_FILL(container_stats)
    LOTSE_SDK_FILL(container_reopen_log)
    LOTSE_SDK_FILL(exec_sync)
    LOTSE_SDK_FILL(image_import)
    LOTSE_SDK_FILL(image_status)
    LOTSE_SDK_FILL(image_list)
    LOTSE_SDK_FILL(image_remove)
    LOTSE_SDK_FILL(image_fs)
#undef LOTSE_SDK_FILL
    c_.exec = LOTSE_SDK_STREAM(Runtime, exec);
    c_.attach = LOTSE_SDK_STREAM(Runtime, attach);
    c_.port_forward = LOTSE_SDK_STREAM(Runtime, port_forward);
    c_.events = LOTSE_SDK_STREAM(Runtime, events);
    c_.image_pull = LOTSE_SDK_STREAM(Runtime, image_pull);
  }
  const lotse_instance* c_instance() override { return &c_.base; }

  virtual void info(const Msg& request, Call call) = 0;
#define LOTSE_SDK_OFFER(NAME) \
  virtual void NAME(const Msg&, Call call) { call.fail(LOTSE_UNSUPPORTED, "this runtime offers no " #NAME); }
  LOTSE_SDK_OFFER(sandbox_run)
  LOTSE_SDK_OFFER(sandbox_stop)
  LOTSE_SDK_OFFER(sandbox_remove)
  LOTSE_SDK_OFFER(sandbox_status)
  LOTSE_SDK_OFFER(sandbox_list)
  LOTSE_SDK_OFFER(container_create)
  LOTSE_SDK_OFFER(container_start)
  LOTSE_SDK_OFFER(container_stop)
  LOTSE_SDK_OFFER(container_remove)
  LOTSE_SDK_OFFER(container_status)
  LOTSE_SDK_OFFER(container_list)
  LOTSE_SDK_OFFER(container_update)
  LOTSE_SDK_OFFER(container_stats)
  LOTSE_SDK_OFFER(container_reopen_log)
  LOTSE_SDK_OFFER(exec_sync)
  LOTSE_SDK_OFFER(image_import)
  LOTSE_SDK_OFFER(image_status)
  LOTSE_SDK_OFFER(image_list)
  LOTSE_SDK_OFFER(image_remove)
  LOTSE_SDK_OFFER(image_fs)
#undef LOTSE_SDK_OFFER
  // Streams: the producer, or nullptr where it is not offered.
  virtual ProducerPtr exec(const Msg&) { return nullptr; }
  virtual ProducerPtr attach(const Msg&) { return nullptr; }
  virtual ProducerPtr port_forward(const Msg&) { return nullptr; }
  virtual ProducerPtr events(const Msg&) { return nullptr; }
  virtual ProducerPtr image_pull(const Msg&) { return nullptr; }

 private:
  lotse_runtime c_{};
};

}  // namespace lotse::sdk
