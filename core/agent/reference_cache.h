// The config maps and secrets that this node's pods refer to, each followed by a watch of its own for as long as a pod
// needs it. [loop]
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "core/agent/references.h"
#include "core/agent/reflector.h"

namespace lotse::agent {

class ReferenceCache {
 public:
  // changed(uid): something that this pod refers to is known now or has changed. Never called from within a call.
  ReferenceCache(api::Client& client, Loop& loop, std::function<void(const std::string& uid)> changed);
  ~ReferenceCache();
  // What the pod refers to from now on; an empty set ends it.
  void follow(const std::string& uid, const std::string& ns, const std::set<RefKey>& keys);
  // By what is known now.
  Referenced get(const std::string& ns, const std::set<RefKey>& keys) const;
  // From the checkpoint: holds until the API says otherwise.
  void preset(const std::string& ns, RefKind kind, ObjectPtr object);
  // All that is held, for the checkpoint.
  std::vector<std::pair<RefKind, ObjectPtr>> all() const;
  void on_change(std::function<void()> fn) { any_change_ = std::move(fn); }

 private:
  struct Key {
    std::string ns;
    RefKey ref;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    std::unique_ptr<Reflector> reflector;
    std::set<std::string> users;
    ObjectPtr object;
    bool known = false;
  };
  void set(const Key& key, ObjectPtr object);
  api::Client& client_;
  Loop& loop_;
  std::function<void(const std::string&)> changed_;
  std::function<void()> any_change_;
  std::map<Key, Entry> entries_;
  std::map<Key, ObjectPtr> preset_;
  std::map<std::string, std::set<Key>> pods_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lotse::agent
