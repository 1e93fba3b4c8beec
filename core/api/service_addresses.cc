#include "core/api/service_addresses.h"

#include <random>

#include "core/api/body.h"
#include "core/api/fence.h"
#include "core/api/service_plan.h"
#include "core/base/log.h"

namespace lotse::api {
namespace {

constexpr int kTriesMax = 64;

void drop(store::Store& store, const store::Key& key, uint64_t revision) {
  store::Write write;
  write.op = store::Op::kDelete;
  write.key = key;
  write.expected = revision;
  store.commit(std::move(write), [key](Result<store::Committed> r) {
    if (!r.ok() && r.status().reason != Reason::kNotFound && r.status().reason != Reason::kConflict) {
      log::warn("api.address_not_released", r.status().message, {{"address", key.name}});
    }
  });
}

ObjectPtr reservation(const store::Key& key, const json::Value& service) {
  const json::Value& m = service["metadata"];
  return Object::from_value(json::Value::object({{"apiVersion", "lotse/v1"},
                                                 {"kind", "Reservation"},
                                                 {"metadata", json::Value::object({{"name", key.name}})},
                                                 {"service", json::Value::object({{"namespace", m["namespace"]}, {"name", m["name"]}, {"uid", m["uid"]}})}}),
                            0);
}

uint64_t random_below(uint64_t n) {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return n ? random() % n : 0;
}

}  // namespace

// Takes one wish after the other.
struct AddressRun : std::enable_shared_from_this<AddressRun> {
  ServiceAddresses& all;
  CallPtr call;
  json::Value* service;
  AddressPlan plan;
  AddressesPtr taken;
  std::function<void(Result<AddressesPtr>)> done;
  std::vector<store::Key> before;
  size_t next = 0;
  int tries = 0;

  explicit AddressRun(ServiceAddresses& a) : all(a) {}

  void run() {
    if (next == plan.wishes.size()) return finish();
    const AddressWish& wish = plan.wishes[next];
    const store::Key key{std::string(wish.what == AddressWish::What::kIp ? kServiceIps : kNodePorts), "", choose(wish)};
    const bool exists = all.store().exists(key);
    if (call->dry_run || exists) {
      if (exists) return refused(wish, key.name);
      return took(key, 0);
    }
    store::Write write;
    write.key = key;
    write.object = reservation(key, *service);
    write.expected = 0;
    all.store().commit(fenced(call->request, std::move(write)), of_leader(call->request, [self = shared_from_this(), key](Result<store::Committed> r) {
      if (r.ok()) return self->took(key, r->revision);
      if (r.status().reason == Reason::kAlreadyExists) return self->refused(self->plan.wishes[self->next], key.name);
      self->fail(r.status());
    }));
  }

  // A given value, or one at random from above those that people like to ask for; when that is full, from all.
  std::string choose(const AddressWish& wish) const {
    if (!wish.value.empty()) return wish.value;
    const bool ip = wish.what == AddressWish::What::kIp;
    const auto [low, high] = all.ports();
    const uint64_t size = ip ? all.ranges()[wish.range].size() : static_cast<uint64_t>(high - low + 1);
    uint64_t start = ip ? all.ranges()[wish.range].dynamic_start() : std::clamp<uint64_t>(size / 32, 16, 128);
    if (start >= size || tries > kTriesMax / 2) start = 0;
    uint64_t offset = start + random_below(size - start);
    for (uint64_t step = 0; step < size; ++step, offset = offset + 1 < size ? offset + 1 : 0) {
      std::string value = ip ? all.ranges()[wish.range].at(offset) : std::to_string(low + static_cast<int>(offset));
      if (!all.store().exists({std::string(ip ? kServiceIps : kNodePorts), "", value})) return value;
      if (step > 4096) break;
    }
    return ip ? all.ranges()[wish.range].at(offset) : std::to_string(low + static_cast<int>(offset));
  }

  void took(const store::Key& key, uint64_t revision) {
    const AddressWish& wish = plan.wishes[next];
    if (revision != 0) taken->taken_.push_back({key, revision});
    json::Value& spec = (*service)["spec"];
    if (wish.what == AddressWish::What::kIp) {
      json::Value& ips = spec["clusterIPs"];
      if (!ips.is_array()) ips = json::Value::array();
      if (wish.value.empty()) ips.push(key.name);
      spec.set("clusterIP", std::as_const(ips).at(0));
    } else if (wish.ports.empty()) {
      spec.set("healthCheckNodePort", json::Value::number(key.name));
    } else {
      for (const size_t i : wish.ports) spec["ports"].array_items()[i].set("nodePort", json::Value::number(key.name));
    }
    ++next;
    tries = 0;
    run();
  }

  void refused(const AddressWish& wish, const std::string& value) {
    if (wish.value.empty() && ++tries < kTriesMax) return run();
    const bool ip = wish.what == AddressWish::What::kIp;
    std::string message;
    if (wish.value.empty()) {
      message = ip ? "failed to allocate a serviceIP: range is full" : "failed to allocate a nodePort: range is full";
      return fail({Reason::kInternalError, message});
    }
    message = ip ? "Invalid value: [\"" + value + "\"]: failed to allocate IP " + value + ": provided IP is already allocated"
                 : "Invalid value: " + value + ": provided port is already allocated";
    fail(invalid(*call, std::as_const(*service)["metadata"]["name"].str(), {{ip ? "spec.clusterIPs" : wish.field, "FieldValueInvalid", message}}));
  }

  void fail(Status why) {
    taken->give_back();
    done(std::move(why));
  }

  void finish() {
    const auto now = held_by(*service);
    for (const auto& key : before) {
      if (std::find(now.begin(), now.end(), key) == now.end()) taken->unneeded_.push_back(key);
    }
    done(taken);
  }
};

void Addresses::keep() {
  for (const auto& key : std::exchange(unneeded_, {})) drop(store_, key, store::kAny);
  taken_.clear();
}

void Addresses::give_back() {
  for (const auto& guard : std::exchange(taken_, {})) drop(store_, guard.key, guard.revision);
}

ServiceAddresses::ServiceAddresses(store::Store& store, const ServerConfig& config, Clock& clock)
    : store_(store), config_(config), clock_(clock) {
  for (const auto& cidr : config.service_cidrs) {
    if (auto range = AddressRange::parse(cidr); range.ok()) {
      ranges_.push_back(*std::move(range));
    } else {
      log::error("api.bad_service_cidr", range.status().message);
    }
  }
}

void ServiceAddresses::assign(const CallPtr& call, json::Value* service, const json::Value* old, std::function<void(Result<AddressesPtr>)> done) {
  auto run = std::make_shared<AddressRun>(*this);
  run->call = call;
  run->service = service;
  run->plan = plan_addresses(service, old, ranges_, config_.node_ports);
  run->taken = std::make_shared<Addresses>(store_);
  run->done = std::move(done);
  if (old) run->before = held_by(*old);
  if (!run->plan.causes.empty()) {
    return run->done(invalid(*call, std::as_const(*service)["metadata"]["name"].str(), std::move(run->plan.causes)));
  }
  run->run();
}

void ServiceAddresses::release(std::string_view stored, const ObjectPtr& service) {
  if (stored != "services" || !service) return;
  for (const auto& key : held_by(service->value())) drop(store_, key, store::kAny);
}

void ServiceAddresses::repair() {
  const auto services = store_.list({"services"});
  if (!services.ok()) return;
  std::set<std::pair<std::string, std::string>> needed;
  for (const auto& service : services->items) {
    for (const auto& key : held_by(service->value())) {
      needed.emplace(key.resource, key.name);
      if (store_.exists(key)) continue;
      store::Write write;
      write.key = key;
      write.object = reservation(key, service->value());
      write.expected = 0;
      store_.commit(std::move(write), [](Result<store::Committed>) {});
    }
  }
  for (const auto resource : {kServiceIps, kNodePorts}) {
    const auto all = store_.list({std::string(resource)});
    if (!all.ok()) continue;
    for (const auto& r : all->items) {
      if (!needed.contains({std::string(resource), r->header().name})) drop(store_, {std::string(resource), "", r->header().name}, r->revision());
    }
  }
}

}  // namespace lotse::api
