// Client: the one way in for controllers, the scheduler and agents: builds requests as a given user and hands them to a
// Handler. It adds nothing to what kubectl could do.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/api/request.h"
#include "core/base/loop.h"
#include "core/object/object.h"

namespace lotse::api {

struct ResourceRef {   // which kind
  std::string group, version, resource;
};

struct ListOptions {
  std::string label_selector, field_selector, resource_version, continue_token;
  int64_t limit = 0;
};
struct ObjectList {
  std::vector<ObjectPtr> items;
  std::string resource_version, continue_token;
};

struct WatchEvent {
  enum class Type : uint8_t { kAdded, kModified, kDeleted, kBookmark } type;
  ObjectPtr object;
};
// Ends by itself when the Handle goes. on_end: kExpired means list again.
using OnEvent = std::function<void(WatchEvent)>;
using OnEnd = std::function<void(Status)>;

class Client {
 public:
  // All callbacks come on `loop`. `user` null: the handler knows who we are (a bus session).
  Client(Handler& handler, Loop& loop, std::shared_ptr<const security::User> user, std::string user_agent);

  using Done = std::function<void(Result<ObjectPtr>)>;
  void get(const ResourceRef& kind, std::string_view ns, std::string_view name, Done done);
  void list(const ResourceRef& kind, std::string_view ns, const ListOptions& options, std::function<void(Result<ObjectList>)> done);
  Handle watch(const ResourceRef& kind, std::string_view ns, const ListOptions& options, OnEvent event, OnEnd end);
  void create(const ResourceRef& kind, std::string_view ns, json::Value object, Done done, std::string_view subresource = {}, std::string_view name = {});
  void update(const ResourceRef& kind, std::string_view ns, json::Value object, Done done, std::string_view subresource = {});
  enum class PatchType : uint8_t { kMerge, kJson, kStrategic };
  void patch(const ResourceRef& kind, std::string_view ns, std::string_view name, PatchType type, const json::Value& patch, Done done,
             std::string_view subresource = {});
  // options: a DeleteOptions document or null.
  void remove(const ResourceRef& kind, std::string_view ns, std::string_view name, const json::Value& options, Done done);
  Handler& handler() { return handler_; }
  Loop& loop() { return loop_; }

 private:
  void send(Request request, std::function<void(Response)> done);
  Handler& handler_;
  Loop& loop_;
  std::shared_ptr<const security::User> user_;
  std::string user_agent_;
};

}  // namespace lotse::api
