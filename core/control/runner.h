// Runner: lets all controllers of a master work. It follows the store's ring with one cursor, asks each controller
// which keys a change concerns, and carries out what reconcile wants through the API, as that controller's own service
// account.
//
// Threads: everything happens on the loop that is passed in, also the reconciles; start and stop are called there.
#pragma once
#include <memory>
#include <vector>

#include "core/api/events.h"
#include "core/api/request.h"
#include "core/base/loop.h"
#include "core/control/controller.h"
#include "core/control/queue.h"
#include "core/store/store.h"

namespace lotse::control {

inline constexpr size_t kKeysInFlightMax = 10;      // a controller
inline constexpr size_t kActionsInFlightMax = 512;  // of one batch
inline constexpr size_t kEventsInFlightMax = 256;   // a controller; what is beyond is dropped

// A View over the store. It has no way to say "I cannot tell": whoever acts on what it shows asks unreadable()
// afterwards, as an object that could not be read must not pass for one that is not there.
class StoreView : public View {
 public:
  explicit StoreView(store::Store& store) : store_(store) {}
  ObjectPtr get(const store::ResourceName& resource, std::string_view ns, std::string_view name) const override;
  std::vector<ObjectPtr> list(const store::ResourceName& resource, std::string_view ns,
                              const LabelSelector& labels) const override;
  std::vector<ObjectPtr> owned_by(std::string_view uid, const store::ResourceName& resource) const override;
  std::vector<ObjectPtr> pods_on(std::string_view node) const override;
  // Whether a read has failed since this was asked last.
  bool unreadable() { return std::exchange(unreadable_, false); }

 private:
  store::Store& store_;
  mutable bool unreadable_ = false;
};

class Runner {
 public:
  Runner(store::Store& store, api::Handler& handler, Loop& loop, std::vector<std::unique_ptr<Controller>> controllers);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  Status start();
  // Nothing new is begun; answers under way are dropped. Leadership went elsewhere, or the daemon ends.
  void stop();
  // For tests and /metrics: nothing queued, in flight or delayed.
  bool idle() const;
  size_t queued() const;

 private:
  struct State;  // shared with answers that may come after the runner has gone
  std::shared_ptr<State> state_;
};

}  // namespace lotse::control
