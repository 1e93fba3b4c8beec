#include "core/api/change.h"

#include "core/api/admission.h"
#include "core/api/body.h"
#include "core/api/fence.h"
#include "core/api/output.h"
#include "core/api/quota.h"
#include "core/api/server_impl.h"
#include "core/api/service_addresses.h"
#include "core/base/ids.h"
#include "core/schema/qos.h"

namespace lotse::api {
namespace {

constexpr int kAttemptsMax = 5;

schema::Operation operation(const Call& call) {
  if (call.request.subresource == "status") return schema::Operation::kUpdateStatus;
  if (call.request.subresource == "resize") return schema::Operation::kResize;
  if (call.request.subresource == "ephemeralcontainers") return schema::Operation::kEphemeralContainers;
  return schema::Operation::kUpdate;
}

// What only the server sets stays as it was.
void keep_server_fields(json::Value* object, const json::Value& old) {
  json::Value& m = (*object)["metadata"];
  const json::Value& before = old["metadata"];
  for (const std::string_view field : {"uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generateName"}) {
    if (before.has(field)) {
      m.set(field, before[field]);
    } else {
      m.erase(field);
    }
  }
}

Status check_finalizers(const Call& call, const json::Value& object, const json::Value& old) {
  if (!old["metadata"].has("deletionTimestamp")) return {};
  std::string added;
  for (const auto& f : object["metadata"]["finalizers"].items()) {
    const auto& before = old["metadata"]["finalizers"].items();
    if (std::find(before.begin(), before.end(), f) == before.end()) added += (added.empty() ? "\"" : ", \"") + std::string(f.str()) + "\"";
  }
  if (added.empty()) return {};
  return invalid(call, old["metadata"]["name"].str(),
                 {{"metadata.finalizers", "FieldValueForbidden",
                   "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers [" + added + "]"}});
}

struct ChangeRun : std::enable_shared_from_this<ChangeRun> {
  CallPtr call;
  store::Key key;
  bool retry;
  Change how;
  Changed done;
  int attempt = 0;

  void run() {
    ++attempt;
    auto current = call->server.store().get(key);
    if (!current.ok()) return done(current.status());
    const ObjectPtr before = shown(*call, *current);
    const json::Value old = before->whole();
    auto wanted = how(*call, before, old);
    if (!wanted.ok()) return done(wanted.status());
    if (auto s = prepare_change(*call, &*wanted, old); !s.ok()) return done(std::move(s));
    if (call->stored() != "services" || !call->request.subresource.empty()) return store(*std::move(wanted), old, *current, nullptr);
    auto self = shared_from_this();
    auto document = std::make_shared<json::Value>(*std::move(wanted));
    call->server.addresses().assign(call, document.get(), &old, [self, document, old, now = *current](Result<AddressesPtr> taken) {
      if (!taken.ok()) return self->done(taken.status());
      self->store(std::move(*document), old, now, *taken);
    });
  }

  void store(json::Value wanted, const json::Value& old, const ObjectPtr& current, AddressesPtr addresses) {
    if (auto s = validate_object(*call, wanted, &old); !s.ok()) return give_back(std::move(s), addresses);
    const bool ending = old["metadata"].has("deletionTimestamp");
    if (!falls_under_quotas(*call, &old)) return write(std::move(wanted), ending, current, addresses, nullptr);
    auto kept = std::make_shared<json::Value>(std::move(wanted));
    charge_quotas(call, *kept, &old, [self = shared_from_this(), kept, ending, current, addresses](Result<QuotaChargePtr> charge) {
      charge.ok() ? self->write(std::move(*kept), ending, current, addresses, *charge) : self->give_back(charge.status(), addresses);
    });
  }

  void write(json::Value wanted, bool ending, const ObjectPtr& current, AddressesPtr addresses, QuotaChargePtr charge) {
    const bool goes = released(wanted) && ending;
    ObjectPtr object = Object::from_value(as_stored(*call, std::move(wanted)), current->revision());
    if (!goes && object->bytes() == current->bytes()) return done(current);  // nothing to do
    store::Write write;
    write.op = goes ? store::Op::kDelete : store::Op::kPut;
    write.key = key;
    if (!goes) write.object = object;
    write.expected = current->revision();
    write.relaxed = call->stored() == "leases.coordination.k8s.io";
    if (addresses) write.guards = addresses->guards();
    if (call->stored() == "events") write.ttl = call->server.config().event_ttl;
    commit(call, std::move(write), [self = shared_from_this(), object, addresses, charge, goes, current](Result<store::Committed> r) {
      if (r.ok()) {
        if (addresses) addresses->keep();
        if (goes) self->call->server.addresses().release(self->call->stored(), current);
        return self->done(goes || !r->object ? object : r->object);
      }
      if (charge) charge->give_back();
      if (r.status().reason == Reason::kConflict && self->retry && self->attempt < kAttemptsMax) {
        if (addresses) addresses->give_back();
        self->call->server.loop().post([self] { self->run(); });
        return;
      }
      self->give_back(r.status(), addresses);
    });
  }

  void give_back(Status why, const AddressesPtr& addresses) {
    if (addresses) addresses->give_back();
    done(std::move(why));
  }
};

}  // namespace

std::string now_text(ServerImpl& server) { return format_time(server.clock().now()); }

bool released(const json::Value& object) {
  const json::Value& m = object["metadata"];
  if (!m.has("deletionTimestamp") || !m["finalizers"].empty()) return false;
  if (object["kind"].str() == "Namespace" && !object["spec"]["finalizers"].empty()) return false;
  return m["deletionGracePeriodSeconds"].integer() == 0;
}

Status prepare_new(Call& call, json::Value* object, std::string_view name) {
  json::Value& m = (*object)["metadata"];
  m.set("name", name);
  m.set("uid", make_uuid()).set("creationTimestamp", now_text(call.server));
  for (const std::string_view field : {"resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds"}) m.erase(field);
  schema::prepare(*call.resource, object, nullptr, schema::Operation::kCreate);
  Admission admission{call, Verb::kCreate, name, object, nullptr};
  LOTSE_CHECK_OK(mutate(admission));
  schema::apply_defaults(*call.resource, object, nullptr);  // of what admission has added
  if (call.stored() == "pods") (*object)["status"].set("qosClass", schema::qos_class(std::as_const(*object)));
  return {};
}

Status prepare_change(Call& call, json::Value* object, const json::Value& old) {
  keep_server_fields(object, old);
  (*object)["metadata"].set("name", old["metadata"]["name"]);
  schema::prepare(*call.resource, object, &old, operation(call));
  LOTSE_CHECK_OK(check_finalizers(call, *object, old));
  Admission admission{call, Verb::kUpdate, old["metadata"]["name"].str(), object, &old};
  LOTSE_CHECK_OK(mutate(admission));
  return {};
}

Status validate_object(Call& call, const json::Value& object, const json::Value* old) {
  const std::string name(object["metadata"]["name"].str());
  auto causes = schema::validate(*call.resource, object, old, old ? operation(call) : schema::Operation::kCreate);
  if (!causes.empty()) return invalid(call, name, std::move(causes));
  Admission admission{call, old ? Verb::kUpdate : Verb::kCreate, name, const_cast<json::Value*>(&object), old};
  return validate(admission);
}

void commit(const CallPtr& call, store::Write write, Stored done) {
  if (!call->dry_run) return call->server.store().commit(fenced(call->request, std::move(write)), of_leader(call->request, std::move(done)));
  // As the store would answer, without a change.
  const auto current = call->server.store().get(write.key);
  const store::Key& key = write.key;
  if (write.expected == 0 && current.ok()) return done(Status::already_exists("", key.resource, key.name));
  if (write.expected != store::kAny && write.expected != 0) {
    if (!current.ok()) return done(Status::not_found("", key.resource, key.name));
    if ((*current)->revision() != write.expected) return done(Status::conflict("", key.resource, key.name, "the object has been modified"));
  }
  store::Committed result;
  result.object = write.object ? write.object : current.ok() ? *current : nullptr;
  done(std::move(result));
}

void change(const CallPtr& call, const store::Key& key, bool retry, Change how, Changed done) {
  auto run = std::make_shared<ChangeRun>();
  run->call = call;
  run->key = key;
  run->retry = retry;
  run->how = std::move(how);
  run->done = std::move(done);
  run->run();
}

}  // namespace lotse::api
