#include <charconv>
#include <random>

#include "core/api/list_query.h"
#include "core/api/revision.h"
#include "core/api/server_impl.h"
#include "core/api/verbs.h"
#include "core/api/watch_stream.h"

namespace lotse::api {
namespace {

// Without timeoutSeconds a watch lives 30 to 60 minutes, so that clients do not all come back at once.
Duration lifetime(std::string_view text) {
  int64_t seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (seconds > 0) return std::chrono::seconds(std::min<int64_t>(seconds, 24 * 3600));
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::chrono::seconds(1800 + random() % 1800);
}

Status bad_option(std::string_view field, std::string_view why) {
  return Status::invalid("meta.k8s.io", "ListOptions", "", {{std::string(field), "FieldValueForbidden", "Forbidden: " + std::string(why)}});
}

struct Start {
  uint64_t revision = 0;   // 0: from the state now
  bool initial = false;
};

Result<Start> read_start(const Call& call) {
  const Request& r = call.request;
  const std::string_view send = r.option("sendInitialEvents"), match = r.option("resourceVersionMatch");
  LOTSE_TRY(const uint64_t revision, parse_revision(r.option("resourceVersion")));
  if (send.empty()) {
    if (!match.empty()) return bad_option("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided");
    return Start{revision, revision == 0};
  }
  if (match != "NotOlderThan") return bad_option("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
  LOTSE_CHECK_OK(check_reached(call.server, revision));
  if (send == "true") return Start{0, true};
  return Start{revision, false};
}

Result<WatchPlan> plan_watch(const Call& call) {
  WatchPlan plan;
  LOTSE_TRY(const Start start, read_start(call));
  LOTSE_TRY(auto selection, read_selection(call));
  const bool wants_marks = call.request.option("allowWatchBookmarks") == "true" || call.request.option("allowWatchBookmarks") == "1";
  plan.bookmarks = wants_marks;
  plan.mark_initial_end = call.request.option("sendInitialEvents") == "true" && wants_marks;
  plan.lifetime = lifetime(call.request.option("timeoutSeconds"));
  plan.query.resource = call.stored();
  plan.query.ns = call.request.ns;
  plan.query.name = !call.request.name.empty() ? call.request.name : selection.name;
  plan.query.labels = selection.labels;
  plan.query.fields = selection.fields;
  plan.query.from = start.revision;
  if (!start.initial) {
    LOTSE_CHECK_OK(check_reached(call.server, start.revision));
    if (start.revision == 0) plan.query.from = call.server.store().revision();
    return plan;
  }
  store::ListQuery query;
  query.resource = plan.query.resource;
  query.ns = plan.query.ns;
  query.labels = std::move(selection.labels);
  query.fields = std::move(selection.fields);
  LOTSE_TRY(auto page, call.server.store().list(query));
  plan.initial = std::move(page.items);
  if (!plan.query.name.empty()) std::erase_if(plan.initial, [&](const ObjectPtr& o) { return o->header().name != plan.query.name; });
  plan.query.from = plan.initial_revision = page.revision;
  return plan;
}

}  // namespace

void watch(const CallPtr& call) {
  auto plan = plan_watch(*call);
  if (!plan.ok()) return call->fail(plan.status());
  Response r;
  r.stream = [call, plan = std::make_shared<WatchPlan>(*std::move(plan))](SinkPtr sink) {
    return open_watch(call, std::move(*plan), std::move(sink));
  };
  call->reply(std::move(r));
}

}  // namespace lotse::api
