#include "core/api/body.h"
#include "core/api/change.h"
#include "core/api/output.h"
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
    store::Write write;
    write.key = call->key(name);
    write.object = Object::from_value(as_stored(*call, std::move(object)), 0);
    write.expected = 0;
    if (addresses) write.guards = addresses->guards();
    if (call->stored() == "events") write.ttl = call->server.config().event_ttl;
    commit(call, std::move(write), [self = shared_from_this(), addresses](Result<store::Committed> r) {
      if (r.ok()) {
        if (addresses) addresses->keep();
        return self->call->give(201, r->object);
      }
      if (addresses) addresses->give_back();
      if (r.status().reason == Reason::kAlreadyExists && !self->base.empty() && self->attempt < kNamesMax) {
        return self->call->server.loop().post([self] { self->run(); });
      }
      self->call->fail(r.status());
    });
  }
};

}  // namespace

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
  creation->wanted = *std::move(object);
  creation->run();
}

}  // namespace lotse::api
