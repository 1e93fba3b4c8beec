#include "core/api/verbs.h"

namespace lotse::api {

bool subresource(const CallPtr& call) {
  const std::string stored = call->stored();
  const std::string_view name = call->request.subresource;
  const Verb verb = call->request.verb;
  if (name == "status" || name == "resize" || name == "ephemeralcontainers") {
    if (verb == Verb::kGet) return get(call), true;
    if (verb == Verb::kUpdate) return update(call), true;
    if (verb == Verb::kPatch) return patch(call), true;
    return false;
  }
  if (name == "scale") return scale(call), true;
  if (name == "binding" && stored == "pods") return bind(call), true;
  if (name == "eviction" && stored == "pods") return evict(call), true;
  if (name == "token" && stored == "serviceaccounts") return token_request(call), true;
  if (name == "finalize" && stored == "namespaces") return finalize_namespace(call), true;
  if (name == "log" && stored == "pods") return log(call), true;
  if ((name == "exec" || name == "attach" || name == "portforward") && stored == "pods") return connect(call), true;
  if (name == "proxy") return proxy(call), true;
  return false;
}

}  // namespace lotse::api
