// Call: one request on its way through the server, from the door to the reply. It belongs to whoever works on it now: the
// thread that brought the request, then the thread that answers its commit; never to two at once.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/api/request.h"
#include "core/object/json.h"
#include "core/object/object.h"
#include "core/schema/schema.h"
#include "core/security/security.h"
#include "core/store/store.h"

namespace lotse::api {

class ServerImpl;

// How the client wants objects to look (the `as` parameter of Accept).
enum class Form : uint8_t { kObject, kTable, kPartial };

struct Call : std::enable_shared_from_this<Call> {
  ServerImpl& server;
  Request request;
  Respond respond;
  security::User user;
  const schema::ResourceInfo* resource = nullptr;
  const schema::SubresourceInfo* subresource = nullptr;
  Form form = Form::kObject;
  bool dry_run = false;
  std::vector<std::string> warnings;
  std::string audit_id;
  SteadyTime begun{};
  std::atomic<bool> replied{false};

  Call(ServerImpl& s, Request r, Respond answer) : server(s), request(std::move(r)), respond(std::move(answer)) {}
  store::ResourceName stored() const;        // "deployments.apps"
  store::Key key() const;                    // of the object that the request names
  store::Key key(std::string_view name) const;
  std::string described() const;             // "deployments.apps \"web\"", for sentences

  // The reply, exactly once.
  void reply(Response response);
  void fail(Status status);
  void give(int code, const ObjectPtr& object);       // in the form that was asked for
  void give(int code, const json::Value& document);   // as it is
};
using CallPtr = std::shared_ptr<Call>;

store::ResourceName stored_name(std::string_view group, std::string_view resource);
Status forbidden(const Call& call, std::string_view name, std::string_view why);

}  // namespace lotse::api
