#include "core/daemon/tls_material.h"

#include "core/base/log.h"

namespace lotse::daemon {
namespace {

constexpr Duration kLookAtMost = std::chrono::hours(12);  // a clock that is set forward is noticed by then
lotse_bytes bytes(const std::string& text) { return {text.data(), text.size()}; }

}  // namespace

TlsMaterial::TlsMaterial(security::Authority& authority, security::CurvePair bus, Loop& loop, std::vector<std::string> dns_names, std::vector<std::string> ips)
    : authority_(authority), bus_(std::move(bus)), loop_(loop), dns_names_(std::move(dns_names)), ips_(std::move(ips)), ca_(authority.ca_pem()) {
  service_.size = sizeof service_;
  service_.self = this;
  service_.subscribe = [](void* self, void (*fn)(void*, const lotse_tls_material*), void* ctx) {
    auto& tls = *static_cast<TlsMaterial*>(self);
    std::lock_guard lock(tls.mutex_);
    const uint64_t id = tls.next_id_++;
    tls.subscribers_[id] = {fn, ctx};
    const lotse_tls_material now = tls.material();
    fn(ctx, &now);
    return id;
  };
  service_.unsubscribe = [](void* self, uint64_t id) {
    auto& tls = *static_cast<TlsMaterial*>(self);
    std::lock_guard lock(tls.mutex_);
    tls.subscribers_.erase(id);
  };
}

TlsMaterial::~TlsMaterial() = default;

lotse_tls_material TlsMaterial::material() const {
  lotse_tls_material m{};
  m.size = sizeof m;
  m.generation = generation_;
  m.certificate = bytes(pair_.certificate_pem);
  m.key = bytes(pair_.key_pem);
  m.client_ca = bytes(ca_);
  m.bus_public = bytes(bus_.public_z85);
  m.bus_secret = bytes(bus_.secret_z85);
  return m;
}

Status TlsMaterial::begin() {
  LOTSE_CHECK_OK(renew());
  loop_.post([this, planning = std::weak_ptr<bool>(planning_)] {
    if (!planning.expired()) plan();
  });
  return {};
}

void TlsMaterial::end() {
  planning_.reset();
  timer_.reset();
}

Status TlsMaterial::renew() {
  bool changed = false;
  LOTSE_TRY(security::KeyPair pair, authority_.serving(dns_names_, ips_, &changed));
  std::lock_guard lock(mutex_);
  if (generation_ != 0 && !changed) return {};
  pair_ = std::move(pair);
  ++generation_;
  if (generation_ > 1) log::info("daemon.certificate_renewed", "the serving certificate was made anew", {{"generation", generation_}});
  const lotse_tls_material now = material();
  for (const auto& [id, s] : subscribers_) s.fn(s.ctx, &now);
  return {};
}

void TlsMaterial::plan() {
  const Duration left = authority_.next_rotation() - loop_.clock().now();
  timer_ = loop_.after(std::clamp<Duration>(left, std::chrono::seconds(1), kLookAtMost), [this] {
    if (Status status = renew(); !status.ok()) log::error("daemon.certificate_kept", "the serving certificate could not be renewed", {{"reason", status.message}});
    if (also_) also_();
    plan();
  });
}

}  // namespace lotse::daemon
