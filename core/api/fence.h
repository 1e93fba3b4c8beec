// The leader's fence. Where several masters write to one store, controllers and scheduler work on one of them: the leader. The fence is an
// object that whoever becomes leader writes; its revision is a guard of every commit that the leader's requests make. So what an old
// leader still sends, paused, cut off or slow, is refused by the store itself, whatever the clocks say.
#pragma once
#include <functional>

#include "core/api/request.h"
#include "core/store/store.h"

namespace lotse::api {

inline const store::Key kFence{"lotse/fences", "", "master"};

// The write with the request's fence among its guards, and its answer: who is not the leader any more is told so (kForbidden: trying
// again is of no use).
store::Write fenced(const Request& request, store::Write write);
std::function<void(Result<store::Committed>)> of_leader(const Request& request, std::function<void(Result<store::Committed>)> done);

// A Handler whose requests carry a fence: what the leader's controllers and scheduler are given.
class FencedHandler : public Handler {
 public:
  FencedHandler(Handler& handler, uint64_t fence) : handler_(handler), fence_(fence) {}
  void handle(Request request, Respond respond) override {
    request.fence = fence_;
    handler_.handle(std::move(request), std::move(respond));
  }

 private:
  Handler& handler_;
  const uint64_t fence_;
};

}  // namespace lotse::api
