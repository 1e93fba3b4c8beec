#include "plugins/transport_zmq/zmq_transport.h"

namespace lotse::transport_zmq {

std::vector<lotse_key> ZmqTransport::keys() {
  using sdk::Key;
  return {
      Key::strings("listen", "Addresses to serve on (\"tcp://ip:port\"), and paths (\"unix:///path\").").fallback("[\"tcp://127.0.0.1:6444\"]"),
      Key::bytes("message_limit", "The largest message of a client; larger ones end its connection.").fallback("3MiB").range(4096, 1 << 30),
      Key::integer("max_clients", "Clients with requests or streams open at the same time.").fallback("1000").range(1, 1000000),
  };
}

ZmqTransport::ZmqTransport(const sdk::Host& host, const sdk::Config& config) : Transport(host) {
  host.api();
  host.tls();
  const ZmqSettings settings{config.strings("listen"), config.size("message_limit"), config.integer("max_clients")};
  if (settings.listen.empty()) throw sdk::Failure(LOTSE_INVALID, "plugins.transport.zmq.listen names no address");
  loop_ = std::make_unique<ZmqLoop>(host, settings, outstanding_);
}

ZmqTransport::~ZmqTransport() {
  subscription_.reset();
  if (started_) loop_->close_all();
  outstanding_.wait_for_none();
  loop_.reset();
}

void ZmqTransport::start() {
  subscription_ = std::make_unique<sdk::TlsSubscription>(host(), [this](const lotse_tls_material& material) {
    if (started_) return;
    if (!LOTSE_HAS(&material, lotse_tls_material, bus_secret)) return;
    keys_ = {std::string(sdk::view(material.bus_public)), std::string(sdk::view(material.bus_secret))};
  });
  if (keys_.secret_key.empty()) throw sdk::Failure(LOTSE_INVALID, "the host offers no bus key to serve ZeroMQ with");
  loop_->start(keys_);
  started_ = true;
  for (const auto& address : loop_->addresses()) host().info("listening", "serving the API", {{"address", address}});
}

void ZmqTransport::drain(sdk::Call call) {
  if (!started_) return call.done();
  loop_->drain([call] { call.done(); }, call.deadline_ns());
}

}  // namespace lotse::transport_zmq
