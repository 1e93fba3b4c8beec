// The plugin itself. One loop; the host's bus key is the server's CURVE key.
#pragma once
#include <lotse/transport.hpp>

#include <memory>

#include "plugins/transport_zmq/zmq_loop.h"

namespace lotse::transport_zmq {

class ZmqTransport : public sdk::Transport {
 public:
  ZmqTransport(const sdk::Host& host, const sdk::Config& config);
  ~ZmqTransport() override;
  static std::vector<lotse_key> keys();
  void start() override;
  void drain(sdk::Call call) override;
  std::vector<std::string> addresses() override { return loop_->addresses(); }

 private:
  transport_rest::Outstanding outstanding_;
  std::unique_ptr<ZmqLoop> loop_;
  std::unique_ptr<sdk::TlsSubscription> subscription_;
  Keys keys_;  // as they were when it started; the bus key is as old as the cluster
  bool started_ = false;
};

}  // namespace lotse::transport_zmq
