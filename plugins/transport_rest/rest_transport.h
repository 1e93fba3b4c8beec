// The plugin itself: listeners, loops, and the certificates that both use.
#pragma once
#include <lotse/transport.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "plugins/transport_rest/listener.h"
#include "plugins/transport_rest/loop.h"
#include "plugins/transport_rest/settings.h"
#include "plugins/transport_rest/tls_context.h"

namespace lotse::transport_rest {

class RestTransport : public sdk::Transport {
 public:
  RestTransport(const sdk::Host& host, const sdk::Config& config);
  ~RestTransport() override;
  static std::vector<lotse_key> keys() { return Settings::keys(); }
  void start() override;
  void drain(sdk::Call call) override;
  std::vector<std::string> addresses() override;

 private:
  void accepted(int fd, std::string address, bool tls);
  void certificates_changed(const lotse_tls_material& material);
  void count(int change);
  void close_listeners();

  const Settings settings_;
  Outstanding outstanding_;
  TlsSlot tls_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::unique_ptr<Listener>> listeners_;  // the first loop's thread, once started
  std::vector<std::string> addresses_;
  std::unique_ptr<sdk::TlsSubscription> subscription_;
  std::atomic<int64_t> connections_{0};
  size_t next_loop_ = 0;
  std::mutex mutex_;  // draining_, drain_timer_
  std::optional<sdk::Call> draining_;
  bool started_ = false;
};

}  // namespace lotse::transport_rest
