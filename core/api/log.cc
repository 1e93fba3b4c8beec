// pods/log
#include <charconv>

#include "core/api/node_stream.h"
#include "core/api/server_impl.h"
#include "core/api/verbs.h"

namespace lotse::api {
namespace {

Status bad(std::string field, const std::string& message) {
  return Status::invalid("", "PodLogOptions", "", {{std::move(field), "FieldValueInvalid", "Invalid value: " + message}});
}

// A number of the query; -1: not given.
Result<int64_t> number(const Call& call, std::string_view name, int64_t least) {
  const std::string_view text = call.request.option(name);
  if (text.empty()) return int64_t{-1};
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return Status(Reason::kBadRequest, std::string(name) + " must be a number");
  if (value < least) return bad(std::string(name), std::to_string(value) + ": must be greater than or equal to " + std::to_string(least));
  return value;
}

bool flag(const Call& call, std::string_view name) {
  const std::string_view v = call.request.option(name);
  return v == "true" || v == "1";
}

Status read_options(const Call& call, MsgValue* arguments) {
  LOTSE_TRY(const int64_t tail, number(call, "tailLines", 0));
  LOTSE_TRY(const int64_t since, number(call, "sinceSeconds", 1));
  LOTSE_TRY(const int64_t bytes, number(call, "limitBytes", 1));
  const std::string_view time = call.request.option("sinceTime");
  if (since >= 0 && !time.empty()) return bad("sinceSeconds", "at most one of `sinceTime` or `sinceSeconds` may be specified");
  if (tail >= 0) arguments->set("tail_lines", tail);
  if (bytes >= 0) arguments->set("limit_bytes", bytes);
  if (since >= 0) {
    const auto from = call.server.clock().now() - std::chrono::seconds(since);
    arguments->set("since_ns", static_cast<int64_t>(from.time_since_epoch().count()));
  }
  if (!time.empty()) {
    LOTSE_TRY(const WallTime from, parse_time(time));
    arguments->set("since_ns", static_cast<int64_t>(from.time_since_epoch().count()));
  }
  for (const std::string_view name : {"follow", "previous", "timestamps"}) {
    if (flag(call, name)) arguments->set(name, true);
  }
  return {};
}

}  // namespace

void log(const CallPtr& call) {
  const auto pod = call->server.store().get(call->key());
  if (!pod.ok()) return call->fail(pod.status());
  auto container = choose_container(*pod, call->request.option("container"));
  if (!container.ok()) return call->fail(container.status());
  if ((*pod)->header().node_name.empty()) {  // as upstream: a pod without a host has an empty log
    Response r;
    r.content_type = "text/plain";
    return call->reply(std::move(r));
  }
  auto arguments = pod_arguments(*pod);
  if (!arguments.ok()) return call->fail(arguments.status());
  arguments->set("container", *container);
  if (auto s = read_options(*call, &*arguments); !s.ok()) return call->fail(std::move(s));
  reply_with_stream(call, (*pod)->header().node_name, "logs", *arguments, {}, [](const MsgValue&) {
    Response r;
    r.content_type = "text/plain";
    return r;
  });
}

}  // namespace lotse::api
