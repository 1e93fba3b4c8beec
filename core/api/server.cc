#include "core/api/server.h"

#include "core/api/server_impl.h"
#include "core/api/service_addresses.h"
#include "core/api/watch_stream.h"
#include "core/base/log.h"

namespace lotse::api {
namespace {

struct Observable {
  std::string_view group, resource;
};
constexpr Observable kObserved[] = {{"rbac.authorization.k8s.io", "clusterroles"},
                                    {"rbac.authorization.k8s.io", "clusterrolebindings"},
                                    {"rbac.authorization.k8s.io", "roles"},
                                    {"rbac.authorization.k8s.io", "rolebindings"},
                                    {"", "pods"}};

std::unique_ptr<security::Authorizer> make_authorizer() {
  std::vector<std::unique_ptr<security::Authorizer>> parts;
  parts.push_back(security::make_node_authorizer());
  parts.push_back(security::make_rbac_authorizer());
  return security::make_union_authorizer(std::move(parts));
}

}  // namespace

struct ServerImpl::Observed {
  std::string_view group, resource;
  std::unique_ptr<store::Cursor> cursor;
};

std::unique_ptr<Server> Server::make(store::Store& store, security::Authority& authority, security::TokenIssuer& tokens, Loop& loop,
                                     WorkerPool& pool, Clock& clock, ServerConfig config) {
  return std::make_unique<ServerImpl>(store, authority, tokens, loop, pool, clock, std::move(config));
}

ServerImpl::ServerImpl(store::Store& store, security::Authority& authority, security::TokenIssuer& tokens, Loop& loop,
                       WorkerPool& pool, Clock& clock, ServerConfig config)
    : store_(store),
      authority_(authority),
      tokens_(tokens),
      loop_(loop),
      pool_(pool),
      clock_(clock),
      config_(std::move(config)),
      authenticator_(authority, tokens,
                     [this](std::string_view group, std::string_view resource, std::string_view ns, std::string_view name) {
                       return find(group, resource, ns, name);
                     }),
      authorizer_(make_authorizer()),
      in_flight_(std::make_shared<InFlight>(loop, clock)),
      addresses_(std::make_unique<ServiceAddresses>(store, config_, clock)),
      watches_(std::make_shared<WatchRegistry>(*this)) {
  std::lock_guard lock(observed_mutex_);
  for (const auto& o : kObserved) observed_.push_back(std::make_unique<Observed>(Observed{o.group, o.resource, nullptr}));
  for (auto& o : observed_) observe_all(*o);
}

ServerImpl::~ServerImpl() {
  watches_->close();
  in_flight_->close();
  alive_.reset();
  std::lock_guard lock(observed_mutex_);
  observed_.clear();
}

ObjectPtr ServerImpl::find(std::string_view group, std::string_view resource, std::string_view ns, std::string_view name) {
  auto found = store_.get({stored_name(group, resource), std::string(ns), std::string(name)});
  return found.ok() ? *std::move(found) : nullptr;
}

// Everything there is, then what changes. [observed_mutex_ held]
void ServerImpl::observe_all(Observed& o) {
  const std::string name = stored_name(o.group, o.resource);
  const auto page = store_.list({name});
  if (!page.ok()) return log::error("api.not_observed", page.status().message, {{"resource", name}});
  std::set<std::string> there;
  for (const auto& object : page->items) {
    authorizer_->observe(o.group, o.resource, object, nullptr);
    there.insert(object->header().ns + "/" + object->header().name);
  }
  authorizer_->retain(o.group, o.resource, there);
  store::WatchQuery query;
  query.resource = name;
  query.from = page->revision;
  const std::weak_ptr<bool> alive = alive_;
  auto cursor = store_.watch(query, [this, alive] {
    if (alive.expired()) return;
    loop_.post([this, alive] {
      if (!alive.expired()) catch_up();
    });
  });
  if (cursor.ok()) o.cursor = *std::move(cursor);
}

// Whoever is authorized, or is shown a change, afterwards finds the authorizer as new as that.
void ServerImpl::catch_up() {
  std::lock_guard lock(observed_mutex_);
  for (auto& o : observed_) {
    if (!o->cursor) observe_all(*o);  // it could not be, the last time
    while (o->cursor) {
      auto events = o->cursor->next(256);
      if (!events.ok()) {  // the history is lost: what is there now counts
        o->cursor.reset();
        observe_all(*o);
        break;
      }
      if (events->empty()) break;
      for (const auto& e : *events) {
        const bool gone = e.type == store::Event::Type::kDeleted;
        authorizer_->observe(o->group, o->resource, gone ? nullptr : e.object, gone ? e.object : e.previous);
      }
    }
  }
}

void ServerImpl::set_ready(std::string check, bool ready) {
  std::lock_guard lock(ready_mutex_);
  ready_[std::move(check)] = ready;
}

std::map<std::string, bool> ServerImpl::checks() const {
  std::lock_guard lock(ready_mutex_);
  return ready_;
}

void ServerImpl::add_metric(std::string name, std::string help, std::function<double()> value) {
  metrics_.add(std::move(name), std::move(help), std::move(value));
}

void ServerImpl::ask_as_server(Request request, Respond respond) {
  static const auto self = std::make_shared<const security::User>(
      security::User{"system:apiserver", "", {std::string(security::kGroupMasters), std::string(security::kGroupAuthenticated)}, {}});
  request.peer.trusted = self;
  handle(std::move(request), std::move(respond));
}

}  // namespace lotse::api
