#include "core/control/serviceaccount/serviceaccount.h"

#include "core/control/action.h"

namespace lotse::control {

std::vector<store::ResourceName> ServiceAccountController::resources() const {
  return {kNamespaces.name(), kServiceAccounts.name()};
}

std::vector<std::string> ServiceAccountController::keys(const store::Event& event, const View&) {
  if (event.key.resource == kNamespaces.name()) return {event.key.name};
  if (event.type == store::Event::Type::kDeleted && event.key.name == "default") return {event.key.ns};
  return {};
}

Outcome ServiceAccountController::reconcile(const std::string& key, const View& view, WallTime) {
  ObjectPtr ns = view.get(kNamespaces.name(), "", key);
  if (!ns || ns->header().deletion != WallTime{} || view.get(kServiceAccounts.name(), key, "default")) return {};
  json::Value account;
  account["metadata"].set("name", "default");
  Action a = create(kServiceAccounts, key, std::move(account));
  a.accept = {Reason::kAlreadyExists};
  Outcome out;
  out.actions.push_back(std::move(a));
  return out;
}

}  // namespace lotse::control
