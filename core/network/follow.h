// Follow: all objects of a kind, kept up to date: a list, then a watch from its revision, and again whenever the watch has
// ended. Waits a little longer after each failure, up to 30 s. It can begin with what was known before (a checkpoint): what of that
// the first list does not have is told as gone.
//
// Threads: the client's loop.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/api/client.h"

namespace lotse::network {

class Follow {
 public:
  // changed(ns, name, object): there is, or has changed; object null: it is gone. synced: the first list has been given.
  using Changed = std::function<void(const std::string& ns, const std::string& name, const ObjectPtr& object)>;
  Follow(api::Client& client, api::ResourceRef kind, api::ListOptions options, Changed changed, std::function<void()> synced);
  ~Follow();
  void preset(const std::vector<ObjectPtr>& objects);  // before start()
  void start();
  void stop();  // nothing is called any more; objects() stay
  std::vector<ObjectPtr> objects() const;

 private:
  using Name = std::pair<std::string, std::string>;
  void list();
  void take(const api::ObjectList& list);
  void watch(const std::string& revision);
  void again(const Status& why);

  api::Client& client_;
  api::ResourceRef kind_;
  api::ListOptions options_;
  Changed changed_;
  std::function<void()> synced_;
  std::map<Name, ObjectPtr> known_;
  Handle watch_, timer_;
  Duration wait_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lotse::network
