// Short forms to build the actions of a reconcile.
#pragma once
#include <string>
#include <string_view>

#include "core/control/controller.h"
#include "core/control/kinds.h"

namespace lotse::control {

Action create(const Kind& kind, std::string_view ns, json::Value object);
// Whole object, with its resourceVersion: fails with a conflict if somebody else was quicker.
Action update(const Kind& kind, json::Value object, std::string_view subresource = {});
Action merge_patch(const Kind& kind, std::string_view ns, std::string_view name, json::Value patch,
                   std::string_view subresource = {});
// For lists with merge keys: owner references.
Action strategic_patch(const Kind& kind, std::string_view ns, std::string_view name, json::Value patch);
// Makes `owner` the controlling owner of an orphan; takes `owner` out of the owners again. Only of that very object.
Action adopt(const Kind& kind, const Object& orphan, json::Value owner_ref);
Action release(const Kind& kind, const Object& owned, const Object& owner);
// Only that very object: its uid is a precondition. Gone already is as good. propagation: "", "Background",
// "Foreground", "Orphan".
Action remove(const Kind& kind, const Object& object, std::string_view propagation = {});
Action remove_now(const Kind& kind, const Object& object);  // grace period 0
Action remove_collection(const Kind& kind, std::string_view ns);
// An event about an object. The runner adds name, times, source and count.
Action event(const ObjectPtr& about, std::string_view type, std::string_view reason, std::string message);

// "ns/name", or "name" for what is in no namespace.
std::string key_of(const Object& object);
std::string key_of(const store::Key& key);
struct NamespacedName {
  std::string ns, name;
};
NamespacedName split_key(const std::string& key);

// {apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true}
json::Value controller_ref(const Kind& kind, const Object& owner);
// An action as one line of text, for logs and the golden files of tests: "create pods default/web-".
std::string describe(const Action& action);

}  // namespace lotse::control
