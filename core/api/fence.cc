#include "core/api/fence.h"

namespace lotse::api {

store::Write fenced(const Request& request, store::Write write) {
  if (request.fence != 0) write.guards.push_back({kFence, request.fence});
  return write;
}

std::function<void(Result<store::Committed>)> of_leader(const Request& request, std::function<void(Result<store::Committed>)> done) {
  if (request.fence == 0) return done;
  return [done = std::move(done)](Result<store::Committed> r) {
    const bool lost = !r.ok() && r.status().reason == Reason::kConflict && r.status().group == "guard" && r.status().kind == kFence.resource;
    if (lost) return done(Status(Reason::kForbidden, "another master has become the leader: what this one's controllers and scheduler ask for is refused"));
    done(std::move(r));
  };
}

}  // namespace lotse::api
