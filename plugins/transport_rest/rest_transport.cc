#include "plugins/transport_rest/rest_transport.h"

#include <unistd.h>

#include <future>

namespace lotse::transport_rest {

RestTransport::RestTransport(const sdk::Host& host, const sdk::Config& config) : Transport(host), settings_(config) {
  host.api();  // fails in a sentence where there is none
  host.tls();
}

RestTransport::~RestTransport() {
  subscription_.reset();
  if (started_) close_listeners();
  for (auto& loop : loops_) loop->drain(true);
  outstanding_.wait_for_none();  // the loops run on meanwhile: answers are still taken, and thrown away
  for (auto& loop : loops_) loop->stop();
  listeners_.clear();
}

void RestTransport::start() {
  for (int i = 0; i < settings_.threads; ++i) {
    loops_.push_back(std::make_unique<Loop>(host(), settings_, outstanding_, [this] { count(-1); }));
  }
  subscription_ = std::make_unique<sdk::TlsSubscription>(host(), [this](const lotse_tls_material& material) { certificates_changed(material); });
  bool tls = false;
  for (const auto& address : settings_.listen) {
    listeners_.push_back(std::make_unique<Listener>(loops_[0]->io(), address));
    addresses_.push_back(listeners_.back()->address());
    tls = tls || !address.starts_with("unix:");
  }
  if (tls && !tls_.get()) throw sdk::Failure(LOTSE_INVALID, "there is no certificate to serve HTTPS with");
  for (auto& loop : loops_) loop->start();
  started_ = true;
  loops_[0]->post([this] {
    for (auto& listener : listeners_) listener->start([this](int fd, std::string address, bool is_tls) { accepted(fd, std::move(address), is_tls); });
  });
  for (const auto& address : addresses_) host().info("listening", "serving the API", {{"address", address}});
}

void RestTransport::accepted(int fd, std::string address, bool tls) {
  if (connections_.fetch_add(1) >= settings_.connections_max) {
    ::close(fd);
    count(-1);
    host().warn("connection.refused", "there are as many connections as plugins.transport.rest.max_connections allows",
                {{"limit", settings_.connections_max}});
    return;
  }
  next_loop_ = (next_loop_ + 1) % loops_.size();
  loops_[next_loop_]->adopt(fd, std::move(address), tls ? tls_.get() : nullptr);
}

void RestTransport::certificates_changed(const lotse_tls_material& material) {
  try {
    tls_.set(std::make_shared<TlsContext>(material));
  } catch (const sdk::Failure& failure) {
    // What was served with so far goes on being used.
    host().error("certificate.unusable", failure.what());
    if (!tls_.get()) throw;
    return;
  }
  for (auto& loop : loops_) loop->rotate(material.generation);
}

void RestTransport::count(int change) {
  const int64_t now = connections_.fetch_add(change) + change;
  if (now > 0) return;
  std::lock_guard<std::mutex> lock(mutex_);
  if (draining_) std::exchange(draining_, std::nullopt)->done();
}

void RestTransport::close_listeners() {
  std::promise<void> closed;
  loops_[0]->post([&] {
    for (auto& listener : listeners_) listener->close();
    closed.set_value();
  });
  closed.get_future().wait();
}

void RestTransport::drain(sdk::Call call) {
  if (!started_) return call.done();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    draining_ = call;
  }
  loops_[0]->post([this, call] {
    for (auto& listener : listeners_) listener->close();
    for (auto& loop : loops_) loop->drain(false);
    count(0);
    if (call.deadline_ns() == 0) return;
    auto timer = std::make_shared<boost::asio::steady_timer>(loops_[0]->io());
    timer->expires_after(std::chrono::nanoseconds(call.time_left_ns()));
    timer->async_wait([this, timer, call](const boost::system::error_code& error) {
      if (error || call.ended()) return;
      for (auto& loop : loops_) loop->drain(true);
    });
  });
}

std::vector<std::string> RestTransport::addresses() { return addresses_; }

}  // namespace lotse::transport_rest
