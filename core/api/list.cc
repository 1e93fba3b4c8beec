#include "core/api/list_query.h"
#include "core/api/output.h"
#include "core/api/server_impl.h"
#include "core/api/verbs.h"

namespace lotse::api {
namespace {

// A continue token that has outlived its revision comes back as one that goes on from the same place as things are now.
Response expired(const Call& call, const Status& status, const store::ListQuery& query) {
  if (query.after_name.empty()) return status_response(status);
  Status sentence(Reason::kExpired,
                  "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
                  "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
                  "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
                  "deleted between the time the first chunk was returned and now may show up in the list.");
  Response r = status_response(sentence);
  auto body = json::parse(r.text());
  if (body.ok()) {
    (*body)["metadata"].set("continue", continue_token(0, query.after_ns, query.after_name));
    r.body = {json::write_bytes(*body)};
  }
  (void)call;
  return r;
}

ListHead head_of(const Call& call, const store::ListQuery& query, const store::ListEnd& end) {
  ListHead head;
  head.resource_version = std::to_string(end.revision);
  if (end.more && end.count > 0) {
    const bool inconsistent = !call.request.option("continue").empty() && query.revision == 0;
    head.continue_token = continue_token(inconsistent ? 0 : end.revision, end.last_ns, end.last_name);
    head.remaining = end.remaining;
  }
  return head;
}

}  // namespace

void list(const CallPtr& call) {
  auto query = read_list(*call);
  if (!query.ok()) return call->fail(query.status());
  ListBody body(*call);
  const auto end = call->server.store().visit(*query, [&](std::string_view canonical, uint64_t revision) { body.add(canonical, revision); });
  if (!end.ok()) {
    if (end.status().reason == Reason::kExpired) return call->reply(expired(*call, end.status(), *query));
    return call->fail(end.status());
  }
  call->reply(body.response(head_of(*call, *query, *end)));
}

}  // namespace lotse::api
