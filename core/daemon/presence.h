// Presence: this master among the others of a shared store. It writes down where it is (core/control/masters.h), renews its Lease while it
// serves, and follows the list of all, which workers are told of.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/api/client.h"
#include "core/bus/bus.h"
#include "core/control/masters.h"

namespace lotse::daemon {

class Presence {
 public:
  using Changed = std::function<void(std::vector<bus::MasterAddress>)>;
  Presence(store::Store& store, api::Handler& handler, Loop& loop, control::MasterRecord self);
  // [main] Writes the record, or says whose name it is.
  Status begin();
  // [main] Follows the others from here on, and is there for them. changed: [loop].
  Status start(Changed changed);
  // [main] Is not there any more: nobody is sent here. Bounded.
  void end();
  // [any] All masters as they are written down.
  std::vector<bus::MasterAddress> masters() const;

 private:
  void follow();
  void renew();
  void create();
  store::Store& store_;
  Loop& loop_;
  const control::MasterRecord self_;
  api::Client client_;
  Changed changed_;
  std::unique_ptr<store::Cursor> cursor_;
  Handle timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // [loop] ends it
};

}  // namespace lotse::daemon
