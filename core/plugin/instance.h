// Instances of plugins: owners of the C structs, one class a kind. They check what may be missing; all else is a call
// of the ABI, with its thread rules.
#pragma once
#include <memory>
#include <string>

#include "core/base/log.h"
#include "core/plugin/call.h"
#include "core/plugin/host.h"
#include "core/plugin/shield.h"
#include "core/plugin/stream.h"
#include "lotse/abi/proxy.h"
#include "lotse/abi/runtime.h"
#include "lotse/abi/scheduler.h"
#include "lotse/abi/state.h"
#include "lotse/abi/state_backup.h"
#include "lotse/abi/state_watch.h"
#include "lotse/abi/transport.h"

namespace lotse::plugin {

// Ends the instance when it goes. Movable.
class Owned {
 public:
  Owned() = default;
  Owned(const lotse_instance* raw, std::unique_ptr<PluginHost> host, std::string kind, std::string name)
      : raw_(raw), host_(std::move(host)), kind_(std::move(kind)), name_(std::move(name)) {}
  Owned(Owned&& o) noexcept
      : raw_(std::exchange(o.raw_, nullptr)),
        host_(std::move(o.host_)),
        kind_(std::move(o.kind_)),
        name_(std::move(o.name_)) {}
  Owned& operator=(Owned&&) = delete;
  ~Owned() {
    if (raw_) shielded_quietly("destroy", [this] { raw_->destroy(raw_->self); });
  }
  const lotse_instance* raw() const { return raw_; }
  void* self() const { return raw_->self; }
  const std::string& kind() const { return kind_; }
  const std::string& name() const { return name_; }
  // An extension's struct, or nullptr.
  template <class T>
  const T* extension(const char* id) const {
    const void* found = nullptr;
    if (raw_->extension) shielded_quietly("extension", [&] { found = raw_->extension(raw_->self, id); });
    return static_cast<const T*>(found);
  }
  // [worker]
  Status reconfigure(const MsgValue& values) const;

 private:
  const lotse_instance* raw_ = nullptr;
  std::unique_ptr<PluginHost> host_;
  std::string kind_, name_;
};

class StatePlugin {
 public:
  explicit StatePlugin(Owned owned) : owned_(std::move(owned)) {}
  const lotse_state* c() const { return reinterpret_cast<const lotse_state*>(owned_.raw()); }
  void* self() const { return owned_.self(); }
  const Owned& owned() const { return owned_; }
  const lotse_state_watch* watch() const { return owned_.extension<lotse_state_watch>(LOTSE_STATE_WATCH); }
  const lotse_state_backup* backup() const { return owned_.extension<lotse_state_backup>(LOTSE_STATE_BACKUP); }

 private:
  Owned owned_;
};

class SchedulerPlugin {
 public:
  explicit SchedulerPlugin(Owned owned) : owned_(std::move(owned)) {}
  const lotse_scheduler* c() const { return reinterpret_cast<const lotse_scheduler*>(owned_.raw()); }
  void* self() const { return owned_.self(); }
  const Owned& owned() const { return owned_; }

 private:
  Owned owned_;
};

// Kinds whose functions are messages: call(&lotse_runtime::info, request, options, done).
template <class Struct>
class MessagePlugin {
 public:
  explicit MessagePlugin(Owned owned) : owned_(std::move(owned)) {}
  const Struct* c() const { return reinterpret_cast<const Struct*>(owned_.raw()); }
  void* self() const { return owned_.self(); }
  const Owned& owned() const { return owned_; }
  // [worker] done may run from within.
  void call(lotse_message_fn Struct::*slot, std::string_view request, const CallOptions& options, CallDone done) const {
    call_message(function(slot), self(), request, options, std::move(done));
  }
  // [worker] Waits.
  Result<MsgValue> call_and_wait(lotse_message_fn Struct::*slot, const MsgValue& request, CallOptions options) const {
    return plugin::call_and_wait(function(slot), self(), request, std::move(options));
  }
  // [worker]
  Result<StreamPtr> open(lotse_message_stream_fn Struct::*slot, std::string_view request, SinkPtr sink) const {
    return open_message_stream(function(slot), self(), request, std::move(sink));
  }
  // Whether the plugin has the function: an older one's struct may end before it.
  template <class Fn>
  Fn function(Fn Struct::*slot) const {
    auto offset = reinterpret_cast<const char*>(&(c()->*slot)) - reinterpret_cast<const char*>(c());
    return size_t(offset) + sizeof(Fn) <= owned_.raw()->size ? c()->*slot : nullptr;
  }

 private:
  Owned owned_;
};

using RuntimePlugin = MessagePlugin<lotse_runtime>;
using ProxyPlugin = MessagePlugin<lotse_proxy>;

class TransportPlugin {
 public:
  explicit TransportPlugin(Owned owned) : owned_(std::move(owned)) {}
  const lotse_transport* c() const { return reinterpret_cast<const lotse_transport*>(owned_.raw()); }
  void* self() const { return owned_.self(); }
  const Owned& owned() const { return owned_; }
  Status start() const;                                         // [init]
  void drain(const CallOptions& options, CallDone done) const;  // [any]
  std::vector<std::string> addresses() const;

 private:
  Owned owned_;
};

}  // namespace lotse::plugin
