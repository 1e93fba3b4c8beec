#include "core/api/list_query.h"
#include "core/api/output.h"
#include "core/api/server_impl.h"
#include "core/api/verbs.h"

namespace lotse::api {
namespace {

// A continue token that has outlived its revision comes back as one that goes on from the same place as things are now.
Response expired(const Call& call, const Status& status, const store::ListQuery& query) {
  if (query.after_name.empty()) return status_response(status);
  json::Value place = json::Value::object({{"metadata", json::Value::object({{"name", query.after_name}, {"namespace", query.after_ns}})}});
  Status sentence(Reason::kExpired,
                  "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
                  "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
                  "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
                  "deleted between the time the first chunk was returned and now may show up in the list.");
  Response r = status_response(sentence);
  auto body = json::parse(r.text());
  if (body.ok()) {
    (*body)["metadata"].set("continue", continue_token(0, Object::from_value(std::move(place), 0)));
    r.body = {json::write_bytes(*body)};
  }
  (void)call;
  return r;
}

}  // namespace

void list(const CallPtr& call) {
  auto query = read_list(*call);
  if (!query.ok()) return call->fail(query.status());
  const auto page = call->server.store().list(*query);
  if (!page.ok()) {
    if (page.status().reason == Reason::kExpired) return call->reply(expired(*call, page.status(), *query));
    return call->fail(page.status());
  }
  ListHead head;
  head.resource_version = std::to_string(page->revision);
  if (page->more && !page->items.empty()) {
    const bool inconsistent = !call->request.option("continue").empty() && query->revision == 0;
    head.continue_token = continue_token(inconsistent ? 0 : page->revision, page->items.back());
    head.remaining = page->remaining;
  }
  call->reply(list_response(*call, page->items, head));
}

}  // namespace lotse::api
