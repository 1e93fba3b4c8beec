#include "core/daemon/presence.h"

#include "core/base/log.h"
#include "core/base/run_on.h"
#include "core/control/election.h"
#include "core/security/identity.h"

namespace lotse::daemon {
namespace {

const api::ResourceRef kLeases{"coordination.k8s.io", "v1", "leases"};
constexpr Duration kRenew = std::chrono::seconds(5), kRetry = std::chrono::seconds(1), kEndMax = std::chrono::seconds(2);

}  // namespace

Presence::Presence(store::Store& store, api::Handler& handler, Loop& loop, control::MasterRecord self)
    : store_(store), loop_(loop), self_(std::move(self)),
      client_(handler, loop, std::make_shared<const security::User>(security::controller_user("lotse-master")), "lotsed/presence") {}

Status Presence::begin() {
  const store::Key key{control::kMasters, "", self_.name};
  auto old = store_.get(key);
  if (!old.ok() && old.status().reason != Reason::kNotFound) return old.status();
  store::Write write;
  write.key = key;
  if (old.ok()) {
    const auto there = control::MasterRecord::of(**old);
    if (there.bus_key != self_.bus_key)
      return Status(Reason::kConflict, "another master of this cluster is called " + self_.name + ": choose another node_name in [daemon], or take that one out of the cluster "
                                       "(lotse master remove " + self_.name + ")");
    if (there.endpoints == self_.endpoints && there.api_address == self_.api_address && there.api_port == self_.api_port) return {};
  }
  write.expected = old.ok() ? (*old)->revision() : 0;
  write.object = Object::from_value(self_.document(), 0);
  return store::commit_and_wait(store_, std::move(write)).status();
}

std::vector<bus::MasterAddress> Presence::masters() const {
  std::vector<bus::MasterAddress> out;
  auto page = store_.list({.resource = control::kMasters});
  if (!page.ok()) return out;
  for (const auto& object : page->items) {
    auto m = control::MasterRecord::of(*object);
    if (!m.endpoints.empty()) out.push_back({std::move(m.endpoints), std::move(m.bus_key)});
  }
  return out;
}

Status Presence::start(Changed changed) {
  return run_on(loop_, [&]() -> Status {
    changed_ = std::move(changed);
    store::WatchQuery query;
    query.resource = control::kMasters;
    auto cursor = store_.watch(query, [this, alive = std::weak_ptr<bool>(alive_), &loop = loop_] {
      loop.post([this, alive] {
        if (!alive.expired()) follow();
      });
    });
    if (!cursor.ok()) return cursor.status();
    cursor_ = *std::move(cursor);
    follow();
    changed_(masters());
    renew();
    return {};
  });
}

void Presence::follow() {
  bool news = false;
  for (;;) {
    auto events = cursor_->next(64);
    if (!events.ok()) return log::warn("daemon.masters_not_followed", events.status().message);
    if (events->empty()) break;
    news = true;
  }
  if (news) changed_(masters());
}

void Presence::renew() {
  json::Value patch;
  patch["spec"]["renewTime"] = format_micro_time(loop_.clock().now());
  client_.patch(kLeases, control::kLeaseNamespace, control::kMasterLeasePrefix + self_.name, api::Client::PatchType::kMerge, patch,
                [this, alive = std::weak_ptr<bool>(alive_)](Result<ObjectPtr> r) {
                  if (alive.expired()) return;
                  if (!r.ok() && r.status().reason == Reason::kNotFound) return create();
                  timer_ = loop_.after(r.ok() ? kRenew : kRetry, [this] { renew(); });
                });
}

void Presence::create() {
  json::Value lease = json::Value::object({{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}});
  lease["metadata"] = json::Value::object({{"name", control::kMasterLeasePrefix + self_.name}, {"namespace", control::kLeaseNamespace}});
  lease["spec"] = json::Value::object({{"holderIdentity", self_.name},
                                       {"leaseDurationSeconds", std::chrono::duration_cast<std::chrono::seconds>(control::kMasterLease).count()},
                                       {"renewTime", format_micro_time(loop_.clock().now())}});
  client_.create(kLeases, control::kLeaseNamespace, std::move(lease), [this, alive = std::weak_ptr<bool>(alive_)](Result<ObjectPtr> r) {
    if (alive.expired()) return;
    timer_ = loop_.after(r.ok() ? kRenew : kRetry, [this] { renew(); });
  });
}

void Presence::end() {
  wait_for(loop_, kEndMax, [this](std::function<void()> done) {
    const bool there = changed_ != nullptr;
    alive_.reset();
    timer_.reset();
    cursor_.reset();
    changed_ = nullptr;
    if (!there) return done();
    client_.remove(kLeases, control::kLeaseNamespace, control::kMasterLeasePrefix + self_.name, {}, [done](Result<ObjectPtr>) { done(); });
  });
}

}  // namespace lotse::daemon
