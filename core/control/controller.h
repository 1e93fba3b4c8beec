// A controller is a pure step: reconcile(key, what there is, now) -> what to ask the API for. The runner does the
// rest: follows the ring, queues keys (each at most once), asks the API as the controller's own service account, and
// tries again with backoff. As a commit is answered only once the ring holds it, a reconcile always sees what the last
// one has done.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/api/request.h"
#include "core/base/clock.h"
#include "core/object/object.h"
#include "core/store/store.h"

namespace lotse::control {

// What a reconcile may look at: current objects, read from the store.
class View {
 public:
  virtual ~View() = default;
  virtual ObjectPtr get(const store::ResourceName& resource, std::string_view ns,
                        std::string_view name) const = 0;  // null: absent
  virtual std::vector<ObjectPtr> list(const store::ResourceName& resource, std::string_view ns,
                                      const LabelSelector& labels) const = 0;
  virtual std::vector<ObjectPtr> owned_by(std::string_view uid, const store::ResourceName& resource) const = 0;
  virtual std::vector<ObjectPtr> pods_on(std::string_view node) const = 0;
};

// One API request to make. Those of one reconcile are made in order, each after the one before was answered; a failure
// ends the rest and queues the key again, unless `optional` is set or the answer is in `accept`.
struct Action {
  api::Verb verb;
  std::string group, version, resource, subresource, ns, name;
  json::Value body;
  std::string content_type;    // patches
  std::vector<Reason> accept;  // answers that are as good as success: kNotFound for a delete
  bool optional = false;       // events
  // Neighbours with the same number above 0 are made at the same time; the next begins when all of them were answered.
  int batch = 0;
};
// Short forms; see action.h.

struct Outcome {
  std::vector<Action> actions;
  std::optional<Duration> again;  // look at this key again after this long
};

class Controller {
 public:
  virtual ~Controller() = default;
  virtual std::string_view name()
      const = 0;  // upstream's canonical name: "deployment-controller" without "-controller": "deployment".
                  // It acts as security::controller_user(name()).
  // Keys that may be looked at after the start although no change concerned them.
  virtual std::vector<std::string> initial_keys() { return {}; }
  // Which kinds it follows.
  virtual std::vector<store::ResourceName> resources() const = 0;
  // Which keys ("ns/name" of the controller's own kind, or whatever it likes) a change concerns. Also called, as
  // kAdded, for all that exists at the start.
  virtual std::vector<std::string> keys(const store::Event& event, const View& view) = 0;
  virtual Outcome reconcile(const std::string& key, const View& view, WallTime now) = 0;
  // An action of a reconcile was refused; the key will be looked at again with backoff. What is to be asked for
  // meanwhile: an event, a condition. Errors of these are ignored.
  virtual std::vector<Action> failed(const std::string& key, const Action& action, const Status& why, const View& view,
                                     WallTime now) {
    (void)key, (void)action, (void)why, (void)view, (void)now;
    return {};
  }
};

}  // namespace lotse::control
