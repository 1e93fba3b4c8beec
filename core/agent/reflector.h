// Reflector: keeps telling what there is of one kind: list, then watch from there; when the watch ends, on from the
// last revision, or list again if that is compacted. Failures are tried again with growing delays. [loop]
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/api/client.h"
#include "core/base/loop.h"

namespace lotse::agent {

class Reflector {
 public:
  struct Source {
    api::ResourceRef kind;
    std::string ns, label_selector, field_selector;
  };
  // replace: all that there is; changed: one, null with `deleted` set to what it was.
  using Replace = std::function<void(std::vector<ObjectPtr>)>;
  using Changed = std::function<void(ObjectPtr object, bool deleted)>;

  Reflector(api::Client& client, Loop& loop, Source source, Replace replace, Changed changed);
  ~Reflector();
  void start();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace lotse::agent
