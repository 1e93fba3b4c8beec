// A cluster for stories: objects in a map, an API of the plainest kind, and controllers that work until nothing is left
// to do. What they ask for is written down, one line an action.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/control/action.h"
#include "core/control/queue.h"

namespace lotse::control {

class Cluster : public View {
 public:
  ObjectPtr get(const store::ResourceName& resource, std::string_view ns, std::string_view name) const override;
  std::vector<ObjectPtr> list(const store::ResourceName& resource, std::string_view ns,
                              const LabelSelector& labels) const override;
  std::vector<ObjectPtr> owned_by(std::string_view uid, const store::ResourceName& resource) const override;
  std::vector<ObjectPtr> pods_on(std::string_view node) const override;

  void add(std::unique_ptr<Controller> controller);
  // From outside: kubectl, the kubelet, the user.
  void put(json::Value object);
  Status request(const Action& action);
  // Works until all queues are empty; gives what was asked for.
  std::string run();
  void advance(Duration step) { now_ += step, steady_ += step; }
  WallTime now() const { return now_; }
  // The next requests of this verb and resource are refused.
  void refuse(const std::string& what, Reason reason, int times) { refusals_[what] = {reason, times}; }
  std::vector<ObjectPtr> all(const store::ResourceName& resource) const {
    return list(resource, "", LabelSelector::everything());
  }
  bool log_events = true;

 private:
  struct Worker {
    std::unique_ptr<Controller> controller;
    Queue queue;
  };
  void commit(const store::Key& key, json::Value value);
  void erase(const store::Key& key);
  void tell(store::Event event);
  Status create_one(const Action& a);
  Status update_one(const Action& a);
  Status patch_one(const Action& a);
  Status delete_one(const Action& a);
  void finish(const store::Key& key, json::Value value);

  std::map<store::Key, ObjectPtr> objects_;
  std::vector<Worker> workers_;
  std::map<std::string, std::pair<Reason, int>> refusals_;
  uint64_t revision_ = 100;
  int uids_ = 0;
  WallTime now_{std::chrono::seconds(1767225600)};
  SteadyTime steady_{};
};

store::ResourceName resource_of(const json::Value& object);

}  // namespace lotse::control
