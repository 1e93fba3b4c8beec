#include "core/api/body.h"
#include "core/api/change.h"
#include "core/api/managed_fields.h"
#include "core/api/output.h"
#include "core/api/quota.h"
#include "core/api/server_impl.h"
#include "core/api/service_addresses.h"
#include "core/api/verbs.h"
#include "core/base/ids.h"

namespace lotse::api {
namespace {

constexpr int kNamesMax = 8;
constexpr size_t kGeneratedMax = 63 - 5;

struct Creation : std::enable_shared_from_this<Creation> {
  CallPtr call;
  json::Value wanted;   // as read
  std::string base;     // generateName; empty: the name is given
  std::string name;
  int attempt = 0;
  std::function<void()> exists;  // what to do then instead of saying so

  void run() {
    ++attempt;
    if (!base.empty()) name = base.substr(0, kGeneratedMax) + make_suffix();
    auto object = std::make_shared<json::Value>(wanted);
    if (auto s = prepare_new(*call, object.get(), name); !s.ok()) return call->fail(std::move(s));
    if (call->stored() != "services") return store(std::move(*object), nullptr);
    call->server.addresses().assign(call, object.get(), nullptr, [self = shared_from_this(), object](Result<AddressesPtr> taken) {
      if (!taken.ok()) return self->call->fail(taken.status());
      self->store(std::move(*object), *taken);
    });
  }

  void store(json::Value object, AddressesPtr addresses) {
    if (auto s = validate_object(*call, object, nullptr); !s.ok()) {
      if (addresses) addresses->give_back();
      return call->fail(std::move(s));
    }
    if (!falls_under_quotas(*call, nullptr)) return write(std::move(object), addresses, nullptr);
    auto kept = std::make_shared<json::Value>(std::move(object));
    charge_quotas(call, *kept, nullptr, [self = shared_from_this(), kept, addresses](Result<QuotaChargePtr> charge) {
      if (charge.ok()) return self->write(std::move(*kept), addresses, *charge);
      if (addresses) addresses->give_back();
      self->call->fail(charge.status());
    });
  }

  void write(json::Value object, AddressesPtr addresses, QuotaChargePtr charge) {
    store::Write write;
    write.key = call->key(name);
    write.object = Object::from_value(as_stored(*call, std::move(object)), 0);
    write.expected = 0;
    if (addresses) write.guards = addresses->guards();
    if (call->stored() == "events") write.ttl = call->server.config().event_ttl;
    commit(call, std::move(write), [self = shared_from_this(), addresses, charge](Result<store::Committed> r) {
      if (r.ok()) {
        if (addresses) addresses->keep();
        return self->call->give(201, r->object);
      }
      if (addresses) addresses->give_back();
      if (charge) charge->give_back();
      if (r.status().reason == Reason::kAlreadyExists && !self->base.empty() && self->attempt < kNamesMax) {
        return self->call->server.loop().post([self] { self->run(); });
      }
      if (r.status().reason == Reason::kAlreadyExists && self->exists && self->attempt < kNamesMax) {
        ++self->attempt;
        return self->call->server.loop().post(self->exists);
      }
      self->call->fail(r.status());
    });
  }
};

}  // namespace

// PUT and apply of what is not there.
Status may_create(const Call& call) {
  security::Attributes a;
  a.verb = "create";
  a.group = call.request.group, a.version = call.request.version, a.resource = call.request.resource;
  a.ns = call.request.ns, a.name = call.request.name;
  const auto decision = call.server.authorizer().authorize(call.user, a);
  if (decision.verdict == security::Verdict::kAllow) return {};
  return forbidden(call, call.request.name, "User \"" + call.user.name + "\" cannot create resource \"" + call.request.resource + "\" in API group \"" +
                                                call.request.group + "\"" + (call.request.ns.empty() ? " at the cluster scope" : " in the namespace \"" + call.request.ns + "\""));
}

void create_object(const CallPtr& call, json::Value object, std::function<void()> exists) {
  auto creation = std::make_shared<Creation>();
  creation->call = call;
  creation->name = call->request.name;
  creation->wanted = std::move(object);
  creation->exists = std::move(exists);
  creation->run();
}

void create(const CallPtr& call) {
  auto object = read_object(*call, nullptr);
  if (!object.ok()) return call->fail(object.status());
  const json::Value& metadata = std::as_const(*object)["metadata"];
  auto creation = std::make_shared<Creation>();
  creation->call = call;
  creation->name = metadata["name"].str();
  if (creation->name.empty()) creation->base = metadata["generateName"].str();
  if (!call->request.name.empty()) creation->name = call->request.name;  // create on update
  if (creation->name.empty() && creation->base.empty()) {
    return call->fail(invalid(*call, "", {{"metadata.name", "FieldValueRequired", "Required value: name or generateName is required"}}));
  }
  if (!metadata["resourceVersion"].str().empty()) {
    return call->fail({Reason::kBadRequest, "resourceVersion should not be set on objects to be created"});
  }
  track_fields(*call, &*object, nullptr);
  creation->wanted = *std::move(object);
  creation->run();
}

}  // namespace lotse::api
