#include "core/api/revision.h"
#include "core/api/server_impl.h"
#include "core/api/verbs.h"

namespace lotse::api {

void get(const CallPtr& call) {
  const auto revision = parse_revision(call->request.option("resourceVersion"));
  if (!revision.ok()) return call->fail(revision.status());
  if (auto s = check_reached(call->server, *revision); !s.ok()) return call->fail(std::move(s));
  auto found = call->server.store().get(call->key());
  if (!found.ok()) return call->fail(found.status());
  call->give(200, *found);
}

}  // namespace lotse::api
