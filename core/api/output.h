// How objects go out: as they are, as PartialObjectMetadata, or as rows of a Table, as the Accept header asks.
#pragma once
#include "core/api/call.h"

namespace lotse::api {

// An object as the call's version of its kind has it (the two versions of Event are one stored object), and as it is stored.
ObjectPtr shown(const Call& call, const ObjectPtr& object);
json::Value as_stored(const Call& call, json::Value document);

// What of an Accept header can be served; kNotAcceptable in a sentence.
Result<Form> negotiate(std::string_view accept);

Response object_response(const Call& call, int code, const ObjectPtr& object);
struct ListHead {
  std::string resource_version, continue_token;
  int64_t remaining = -1;
};
// A list as it grows. What is shown as it is stored is not read: its bytes are put together with their revisions.
class ListBody {
 public:
  explicit ListBody(const Call& call);
  ~ListBody();
  void add(std::string_view canonical, uint64_t revision);
  void add(const ObjectPtr& object);
  Response response(const ListHead& head);

 private:
  struct State;
  std::unique_ptr<State> state_;
};
// The text of an object in the call's form, for watch events. For tables with or without the columns.
std::string object_text(const Call& call, const ObjectPtr& object, bool with_columns);
// A watch's event as it goes out, in one copy.
Bytes event_text(const Call& call, std::string_view type, const ObjectPtr& object, bool with_columns);
Bytes event_text(std::string_view type, std::string_view object);
// An object of nothing but a kind and a revision: bookmarks.
std::string bookmark_text(const Call& call, uint64_t revision, bool initial_events_end);

}  // namespace lotse::api
