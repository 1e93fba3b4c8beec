#include "plugins/transport_rest/settings.h"

#include <thread>

namespace lotse::transport_rest {
namespace {

constexpr int64_t kSecond = 1'000'000'000, kHour = 3600 * kSecond, kMiB = 1 << 20;
constexpr std::chrono::seconds kChannelsTimeout{30}, kLingerTimeout{1};
constexpr std::chrono::milliseconds kLeaveTimeout{50};

}  // namespace

std::vector<lotse_key> Settings::keys() {
  using sdk::Key;
  return {
      Key::strings("listen", "Addresses to serve HTTPS on (\"ip:port\"), and paths for plain HTTP (\"unix:///path\").").fallback("[\"0.0.0.0:6443\"]"),
      Key::integer("threads", "Threads that serve connections; 0: as many as there are processors, at most four.").fallback("0").range(0, 64),
      Key::integer("max_connections", "Connections that are served at the same time; those above are closed at once.").fallback("10000").range(1, 1000000),
      Key::bytes("body_limit", "The largest request body.").fallback("3MiB").range(1024, 1024 * kMiB),
      Key::bytes("header_limit", "The largest request head.").fallback("64KiB").range(4096, kMiB),
      Key::duration("handshake_timeout", "How long a TLS handshake may take.").fallback("10s").range(kSecond / 10, kHour),
      Key::duration("header_timeout", "How long the head of a request may take to come.").fallback("30s").range(kSecond / 10, kHour),
      Key::duration("body_timeout", "How long the body of a request may take to come.").fallback("1m").range(kSecond / 10, kHour),
      Key::duration("idle_timeout", "How long a connection is kept without a request.").fallback("90s").range(kSecond / 10, 24 * kHour),
      Key::duration("write_timeout", "How long a client may take nothing of what is sent to it.").fallback("1m").range(kSecond / 10, kHour),
      Key::duration("connection_age", "When certificates have changed: how long connections with the old ones may go on.").fallback("5m").range(kSecond / 10, 24 * kHour),
  };
}

Settings::Settings(const sdk::Config& config)
    : listen(config.strings("listen")),
      connections_max(config.integer("max_connections")),
      handshake_timeout(config.duration("handshake_timeout")),
      header_timeout(config.duration("header_timeout")),
      body_timeout(config.duration("body_timeout")),
      idle_timeout(config.duration("idle_timeout")),
      stall_timeout(config.duration("write_timeout")),
      connection_age(config.duration("connection_age")) {
  threads = static_cast<int>(config.integer("threads"));
  if (threads == 0) threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 4u));
  limits.body_bytes = static_cast<uint64_t>(config.size("body_limit"));
  limits.header_bytes = static_cast<uint32_t>(config.size("header_limit"));
  if (listen.empty()) throw sdk::Failure(LOTSE_INVALID, "plugins.transport.rest.listen names no address");
}

std::chrono::nanoseconds Settings::limit_of(Wait wait) const {
  switch (wait) {
    case Wait::kHandshake: return handshake_timeout;
    case Wait::kHead: return header_timeout;
    case Wait::kBody: return body_timeout;
    case Wait::kIdle: return idle_timeout;
    case Wait::kStall: return stall_timeout;
    case Wait::kChannels: return kChannelsTimeout;
    case Wait::kLeave: return kLeaveTimeout;
    default: return kLingerTimeout;
  }
}

}  // namespace lotse::transport_rest
