#include "core/control/election.h"

#include <algorithm>

#include "core/api/client.h"
#include "core/api/fence.h"
#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/security/identity.h"

namespace lotse::control {
namespace {

const api::ResourceRef kLeases{"coordination.k8s.io", "v1", "leases"};
const store::Key kLease{"leases.coordination.k8s.io", kLeaseNamespace, kLeaderLease};

std::string holder_of(const ObjectPtr& lease) { return std::string(lease->value()["spec"]["holderIdentity"].str()); }

int64_t whole_seconds(Duration d) { return std::chrono::duration_cast<std::chrono::seconds>(d).count(); }

}  // namespace

struct Election::State : std::enable_shared_from_this<State> {
  enum class Phase : uint8_t { kWaits, kTakes, kLeads, kEnded };

  State(store::Store& s, api::Handler& h, Loop& l, ElectionSettings set, Events e)
      : store(s), loop(l), settings(std::move(set)), events(std::move(e)),
        client(h, l, std::make_shared<const security::User>(security::controller_user("lotse-master")), "lotsed/election") {}

  Status start() {
    if (!store.shared()) {
      lead(0);
      return {};
    }
    for (const auto* key : {&kLease, &api::kFence}) {
      LOTSE_TRY(auto cursor, follow(*key));
      cursors.push_back(std::move(cursor));
    }
    happened();  // a cursor wakes only whom it had nothing for
    return {};
  }

  Result<std::unique_ptr<store::Cursor>> follow(const store::Key& key) {
    store::WatchQuery query;
    query.resource = key.resource, query.ns = key.ns, query.name = key.name;
    return store.watch(query, [weak = weak_from_this(), &loop = loop] {
      loop.post([weak] {
        if (auto self = weak.lock()) self->happened();
      });
    });
  }

  // Something has changed about the Lease or the fence: what is there now decides.
  void happened() {
    for (auto& cursor : cursors) {
      for (;;) {
        auto some = cursor->next(64);
        if (!some.ok()) {  // the ring has gone past us
          auto again = follow(&cursor == &cursors[0] ? kLease : api::kFence);
          if (!again.ok()) return;
          cursor = *std::move(again);
          continue;
        }
        if (some->empty()) break;
      }
    }
    look();
  }

  void look() {
    if (phase == Phase::kEnded || phase == Phase::kTakes) return;
    auto found = store.get(kLease);
    if (!found.ok() && found.status().reason != Reason::kNotFound) return again_after(settings.retry);
    lease = found.ok() ? *found : nullptr;
    if (phase == Phase::kLeads) return check();
    if (!lease || holder_of(lease).empty() || holder_of(lease) == settings.identity) return take();
    if (lease->revision() != seen_revision) {
      seen_revision = lease->revision();
      seen_at = loop.clock().steady();
    }
    const Duration left = seen_at + std::chrono::seconds(std::max<int64_t>(lease->value()["spec"]["leaseDurationSeconds"].integer(), 1)) - loop.clock().steady();
    if (left <= Duration(0)) return take();
    again_after(left);
  }

  void again_after(Duration delay) {
    timer = loop.after(delay, [this] { look(); });
  }

  // ---- taking ----
  json::Value renewed(const std::string& holder) const {
    json::Value v = lease ? lease->whole() : json::Value::object({{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}});
    const std::string now = format_micro_time(loop.clock().now());
    if (!lease) v["metadata"] = json::Value::object({{"name", kLeaderLease}, {"namespace", kLeaseNamespace}});
    json::Value& spec = v["spec"];
    if (std::as_const(spec)["holderIdentity"].str() != holder) {
      spec.set("acquireTime", now);
      spec.set("leaseTransitions", std::as_const(spec)["leaseTransitions"].integer() + (lease ? 1 : 0));
    }
    spec.set("holderIdentity", holder).set("leaseDurationSeconds", whole_seconds(settings.duration)).set("renewTime", now);
    return v;
  }

  void take() {
    phase = Phase::kTakes;
    timer.reset();
    const SteadyTime asked = loop.clock().steady();
    auto taken = [this, asked, self = shared_from_this()](Result<ObjectPtr> r) {
      if (phase != Phase::kTakes) return;
      if (!r.ok()) return not_taken(r.status());
      lease = *r;
      renewed_at = asked;
      raise_fence();
    };
    if (lease) client.update(kLeases, kLeaseNamespace, renewed(settings.identity), taken);
    else client.create(kLeases, kLeaseNamespace, renewed(settings.identity), taken);
  }

  void not_taken(const Status& why) {
    log::debug("control.not_leader", why.message);
    phase = Phase::kWaits;
    again_after(settings.retry);
  }

  // Only whoever holds the Lease as it is now gets the fence, and only over the fence that was there.
  void raise_fence() {
    auto old = store.get(api::kFence);
    if (!old.ok() && old.status().reason != Reason::kNotFound) return not_taken(old.status());
    json::Value v = json::Value::object({{"apiVersion", "lotse/v1"}, {"kind", "Fence"}});
    v["metadata"]["name"] = api::kFence.name;
    v["metadata"]["uid"] = make_uuid();
    v["holder"] = settings.identity;
    store::Write write;
    write.key = api::kFence;
    write.object = Object::from_value(std::move(v), 0);
    write.expected = old.ok() ? (*old)->revision() : 0;
    write.guards = {{kLease, lease->revision()}};
    store.commit(std::move(write), [self = shared_from_this()](Result<store::Committed> r) {
      self->loop.post([self, r = std::move(r)] {
        if (self->phase != Phase::kTakes) return;
        if (!r.ok()) return self->not_taken(r.status());
        self->lead(r->revision);
      });
    });
  }

  // ---- leading ----
  void lead(uint64_t with) {
    phase = Phase::kLeads;
    fence = with;
    if (fence != 0) {
      log::info("control.leader", "this master leads: its controllers and scheduler work", {{"fence", fence}});
      renew_after(settings.renew);
      guard_renewal();
    }
    events.gained(fence);
  }

  void renew_after(Duration delay) {
    timer = loop.after(delay, [this] { renew(); });
  }

  // A leader that could not renew stops well before others may think that it has.
  void guard_renewal() {
    deadline = loop.after(std::max(Duration(0), Duration(renewed_at + settings.give_up - loop.clock().steady())), [this] {
      lose("the lease could not be renewed in time");
    });
  }

  void renew() {
    if (phase != Phase::kLeads || renewing) return;
    check();  // it is our own lease that is renewed, not one that was taken meanwhile
    if (phase != Phase::kLeads) return;
    renewing = true;
    const SteadyTime asked = loop.clock().steady();
    client.update(kLeases, kLeaseNamespace, renewed(settings.identity), [this, asked, self = shared_from_this()](Result<ObjectPtr> r) {
      renewing = false;
      if (phase != Phase::kLeads) return;
      if (r.ok()) {
        renewed_at = asked;
        guard_renewal();
        return renew_after(settings.renew);
      }
      if (r.status().reason == Reason::kNotFound) return lose("the lease was deleted");
      if (r.status().reason == Reason::kConflict) check();
      if (phase == Phase::kLeads) renew_after(r.status().reason == Reason::kConflict ? Duration(0) : settings.retry);
    });
  }

  // Whether what is stored still says that we lead.
  void check() {
    auto now = store.get(kLease);
    if (now.ok() && holder_of(*now) != settings.identity) return lose("the lease is held by " + holder_of(*now));
    if (now.ok()) lease = *now;
    auto raised = store.get(api::kFence);
    if (raised.ok() && (*raised)->revision() != fence) lose("another master has raised the fence");
  }

  void lose(const std::string& why) {
    log::warn("control.leader_no_more", "this master leads no more: its controllers and scheduler rest", {{"reason", why}});
    phase = Phase::kWaits;
    fence = 0;
    timer.reset();
    deadline.reset();
    events.lost();
    // Not from within: whoever asked goes on first.
    loop.post([self = shared_from_this()] { self->look(); });
  }

  void stop(std::function<void()> done) {
    const bool held = phase == Phase::kLeads && fence != 0;
    if (phase == Phase::kLeads) events.lost();
    phase = Phase::kEnded;
    events = {};
    cursors.clear();
    timer.reset();
    deadline.reset();
    if (!held) return done();
    if (auto now = store.get(kLease); now.ok()) lease = *now;
    if (!lease || holder_of(lease) != settings.identity) return done();
    client.update(kLeases, kLeaseNamespace, renewed(""), [self = shared_from_this(), done](Result<ObjectPtr>) { done(); });
  }

  store::Store& store;
  Loop& loop;
  const ElectionSettings settings;
  Events events;
  api::Client client;
  std::vector<std::unique_ptr<store::Cursor>> cursors;  // of the Lease, of the fence
  Phase phase = Phase::kWaits;
  uint64_t fence = 0;
  ObjectPtr lease;
  uint64_t seen_revision = 0;  // of somebody else's Lease
  SteadyTime seen_at{}, renewed_at{};
  bool renewing = false;
  Handle timer, deadline;
};

Election::Election(store::Store& store, api::Handler& handler, Loop& loop, ElectionSettings settings, Events events)
    : state_(std::make_shared<State>(store, handler, loop, std::move(settings), std::move(events))) {}

Election::~Election() {
  state_->phase = State::Phase::kEnded;
  state_->events = {};
  state_->cursors.clear();
  state_->timer.reset();
  state_->deadline.reset();
}

Status Election::start() { return state_->start(); }
void Election::stop(std::function<void()> done) { state_->stop(std::move(done)); }
bool Election::leads() const { return state_->phase == State::Phase::kLeads; }

}  // namespace lotse::control
