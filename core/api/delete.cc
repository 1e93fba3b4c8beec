#include "core/api/deletion.h"
#include "core/api/status_object.h"
#include "core/api/verbs.h"

namespace lotse::api {
namespace {

// Which kinds answer with the object that was removed rather than with a Status.
bool gives_object(std::string_view stored) {
  constexpr std::string_view kKinds[] = {"pods", "services", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims",
                                         "podtemplates", "resourcequotas"};
  return std::find(std::begin(kKinds), std::end(kKinds), stored) != std::end(kKinds);
}

}  // namespace

void remove(const CallPtr& call) {
  auto options = read_delete_options(*call);
  if (!options.ok()) return call->fail(options.status());
  delete_object(call, call->key(), *options, [call, policy = options->propagation](Result<Edited> r) {
    if (!r.ok()) return call->fail(r.status());
    const bool gone = r->what == Edit::What::kRemove;
    const int code = !gone && policy == "Foreground" ? 202 : 200;
    if (!gone || gives_object(call->stored())) return call->give(code, r->object);
    call->give(200, success_value(call->resource->group, call->resource->resource, call->request.name, r->object->header().uid));
  });
}

}  // namespace lotse::api
