// Events: what a person reads in `kubectl describe`. What repeats is counted in the Event that exists; what floods is
// dropped: each object has a budget that refills slowly, as upstream's correlator does. [loop]
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "core/api/client.h"
#include "core/base/loop.h"

namespace lotse::agent {

struct EventSubject {
  std::string kind, ns, name, uid, field_path;
};

class EventRecorder {
 public:
  EventRecorder(api::Client& client, Loop& loop, std::string node);
  ~EventRecorder();
  void record(const EventSubject& subject, bool warning, std::string reason, std::string message);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace lotse::agent
