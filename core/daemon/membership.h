// Membership: which cluster this worker belongs to and where its masters are, kept in DIR/worker/joined (0600). The first
// start joins with the join string; each welcome brings the masters' addresses of the day; and a worker that was removed
// joins again once its join_file holds a string that it has not used yet.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "core/bus/bus.h"
#include "core/daemon/base.h"

namespace lotse::daemon {

class Membership {
 public:
  // [main] Reads what is kept, or joins: blocks until the master has answered.
  static Result<std::unique_ptr<Membership>> open(Base& base, const security::CurvePair& keys);
  ~Membership();
  std::vector<bus::MasterAddress> masters() const;
  Bytes cluster() const;
  // [any thread] A session has begun: what it says is kept, if it is news.
  void welcomed(const bus::Welcome& welcome);
  // [any thread] The masters do not know our key. With a fresh join string we join again, on the pool; `joined` [worker] then
  // gets the masters.
  void join_again(std::function<void(std::vector<bus::MasterAddress>)> joined);
  // [main] Waits for a join under way; from now on nothing is called.
  void close();

 private:
  struct State;
  explicit Membership(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace lotse::daemon
