// What a cluster has from its first start on: system namespaces, upstream's roles and bindings, priority classes. Made as requests
// like all others; what exists stays, and roles get rules back that they lack (unless their autoupdate annotation says no).
#include "core/api/server_impl.h"
#include "core/api/service_addresses.h"
#include "core/base/log.h"

namespace lotse::api {
namespace {

using json::Value;

Value system_namespace(std::string_view name) {
  return Value::object({{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", Value::object({{"name", name}})}});
}

Value priority_class(std::string_view name, int64_t value, std::string_view description) {
  return Value::object({{"apiVersion", "scheduling.k8s.io/v1"},
                        {"kind", "PriorityClass"},
                        {"metadata", Value::object({{"name", name}})},
                        {"value", value},
                        {"description", description}});
}

Request request_for(Verb verb, const schema::ResourceInfo& kind, const Value& document) {
  Request r;
  r.verb = verb;
  r.group = kind.group;
  r.version = kind.version;
  r.resource = kind.resource;
  if (kind.namespaced) r.ns = document["metadata"]["namespace"].str();
  if (verb != Verb::kCreate) r.name = document["metadata"]["name"].str();
  r.user_agent = "lotsed/bootstrap";
  r.body = json::write_bytes(document);
  return r;
}

// Adds to `have` what it lacks of `want`; whether it lacked anything.
bool complete(Value& have, const Value& want) {
  if (!have.is_array()) have = Value::array();
  bool changed = false;
  for (const auto& item : want.items()) {
    const auto& there = std::as_const(have).items();
    if (std::find(there.begin(), there.end(), item) != there.end()) continue;
    have.push(item);
    changed = true;
  }
  return changed;
}

struct Bootstrap : std::enable_shared_from_this<Bootstrap> {
  ServerImpl& server;
  std::vector<Value> documents;
  std::function<void(Status)> done;
  std::mutex mutex;
  size_t left = 0;
  Status failed;

  explicit Bootstrap(ServerImpl& s) : server(s) {}

  // Namespaces first, all else together: then all of it is one batch of the backend.
  void run(std::vector<Value> first, std::vector<Value> rest) {
    documents = std::move(rest);
    make(std::move(first), [self = shared_from_this()] {
      self->make(std::move(self->documents), [self] { self->done(self->failed); });
    });
  }

  void make(std::vector<Value> some, std::function<void()> then) {
    if (some.empty()) return then();
    left = some.size();
    auto next = std::make_shared<std::function<void()>>(std::move(then));
    for (auto& document : some) {
      one(std::move(document), [self = shared_from_this(), next](Status s) {
        bool last = false;
        {
          std::lock_guard lock(self->mutex);
          if (!s.ok() && self->failed.ok()) self->failed = std::move(s);
          last = --self->left == 0;
        }
        if (last) self->server.loop().post([next] { (*next)(); });
      });
    }
  }

  void one(Value document, std::function<void(Status)> finish) {
    const auto* kind = schema::find_kind(document["apiVersion"].str(), document["kind"].str());
    if (!kind) return finish({});  // a kind that is not there yet
    const store::Key key{stored_name(kind->group, kind->resource), std::string(document["metadata"]["namespace"].str()),
                         std::string(document["metadata"]["name"].str())};
    const auto existing = server.store().get(key);
    if (existing.ok()) return reconcile(*kind, (*existing)->value(), document, std::move(finish));
    server.ask_as_server(request_for(Verb::kCreate, *kind, document), [finish](Response r) {
      Status s = status_of(r);
      finish(s.reason == Reason::kAlreadyExists ? Status() : std::move(s));
    });
  }

  void reconcile(const schema::ResourceInfo& kind, Value have, const Value& want, std::function<void(Status)> finish) {
    if (kind.group != "rbac.authorization.k8s.io") return finish({});
    if (std::as_const(have)["metadata"]["annotations"]["rbac.authorization.kubernetes.io/autoupdate"].str() == "false") return finish({});
    bool changed = false;
    for (const std::string_view list : {"rules", "subjects"}) {
      if (want.has(list)) changed |= complete(have[list], want[list]);
    }
    if (!changed) return finish({});
    server.ask_as_server(request_for(Verb::kUpdate, kind, have), [finish](Response r) { finish(status_of(r)); });
  }
};

}  // namespace

void ServerImpl::bootstrap(std::function<void(Status)> done) {
  std::vector<Value> first, rest = security::bootstrap_rbac();
  for (const std::string_view name : {"default", "kube-system", "kube-public", "kube-node-lease"}) first.push_back(system_namespace(name));
  rest.push_back(priority_class("system-node-critical", 2000001000, "For system pods that must not be moved from their node."));
  rest.push_back(priority_class("system-cluster-critical", 2000000000, "For system pods that the cluster needs but that may move to another node."));
  auto run = std::make_shared<Bootstrap>(*this);
  run->done = [this, alive = alive(), done = std::move(done)](Status s) {
    if (alive.expired()) return;
    catch_up();
    addresses_->repair();
    if (!s.ok()) log::error("api.bootstrap_failed", s.message);
    done(std::move(s));
  };
  run->run(std::move(first), std::move(rest));
}

}  // namespace lotse::api
