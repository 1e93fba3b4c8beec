#include "core/cli/cluster.h"

#include "core/cli/exchange.h"

namespace lotse::cli {
namespace {

Reason reason_named(const std::string& name) {
  for (int i = 1; i <= int(Reason::kCancelled); ++i)
    if (reason_name(Reason(i)) == name) return Reason(i);
  return Reason::kInternalError;
}

}  // namespace

MsgValue Cluster::request(const char* verb, const Kind& kind, const std::string& ns, const std::string& name) const {
  return MsgValue::map({{"command", "api"}, {"verb", verb}, {"group", kind.group}, {"version", kind.version}, {"resource", kind.resource},
                        {"namespace", ns}, {"name", name}});
}

Result<std::string> Cluster::ask(MsgValue request) {
  std::string body;
  Ended ended = exchange(data_dir_, request, [&body](const MsgValue& frame) {
    body += frame["data"].as_text();
    return Status();
  });
  exit_code_ = ended.code;
  if (ended.code != kExitOk) return Status(reason_named(ended.reason), ended.sentence);
  return body;
}

Result<json::Value> Cluster::get(const Kind& kind, const std::string& ns, const std::string& name) {
  LOTSE_TRY(std::string body, ask(request("get", kind, ns, name)));
  return json::parse(body);
}

Result<std::vector<ObjectPtr>> Cluster::list(const Kind& kind, const std::string& ns, const Options& options, std::string* revision) {
  MsgValue asked = MsgValue::map(), wanted = request("list", kind, ns, "");
  for (const auto& [key, value] : options) asked.set(key, value);
  wanted.set("options", std::move(asked));
  LOTSE_TRY(std::string body, ask(std::move(wanted)));
  LOTSE_TRY(json::Value answer, json::parse(body));
  std::vector<ObjectPtr> out;
  if (revision) *revision = answer["metadata"]["resourceVersion"].str();
  for (json::Value& item : answer["items"].array_items()) out.push_back(Object::from_value(std::move(item), 0));
  return out;
}

Status Cluster::watch(const Kind& kind, const Options& options, const std::string& revision, Duration most,
                      const std::function<bool(std::string_view, const json::Value&)>& on_event) {
  const auto seconds = std::max<int64_t>(1, std::chrono::ceil<std::chrono::seconds>(most).count());
  MsgValue asked = MsgValue::map({{"resourceVersion", revision}, {"timeoutSeconds", std::to_string(seconds)}}), wanted = request("watch", kind, "", "");
  for (const auto& [key, value] : options) asked.set(key, value);
  wanted.set("options", std::move(asked));
  std::string rest;
  bool enough = false;
  Ended ended = exchange(data_dir_, wanted, [&](const MsgValue& frame) -> Status {
    rest += frame["data"].as_text();
    for (size_t line; !enough && (line = rest.find('\n')) != rest.npos; rest.erase(0, line + 1)) {
      LOTSE_TRY(json::Value event, json::parse(std::string_view(rest).substr(0, line)));
      // The revision has been compacted: the watch ends, and whoever asked lists again.
      enough = event["type"].str() != "ERROR" && !on_event(event["type"].str(), event["object"]);
    }
    return enough ? Status(Reason::kCancelled, "enough") : Status();
  });
  exit_code_ = enough ? kExitOk : ended.code;
  return exit_code_ == kExitOk ? Status() : Status(reason_named(ended.reason), ended.sentence);
}

Status Cluster::patch(const Kind& kind, const std::string& ns, const std::string& name, const json::Value& change) {
  MsgValue wanted = request("patch", kind, ns, name);
  wanted.set("content_type", "application/merge-patch+json");
  wanted.set("body", MsgValue::bin(json::write(change)));
  return ask(std::move(wanted)).status();
}

Status Cluster::create(const Kind& kind, const std::string& ns, const std::string& name, const std::string& subresource, const json::Value& object) {
  MsgValue wanted = request("create", kind, ns, name);
  wanted.set("subresource", subresource);
  wanted.set("content_type", "application/json");
  wanted.set("body", MsgValue::bin(json::write(object)));
  return ask(std::move(wanted)).status();
}

Status Cluster::remove(const Kind& kind, const std::string& ns, const std::string& name) { return ask(request("delete", kind, ns, name)).status(); }

Result<json::Value> Cluster::stats(const std::string& node) {
  MsgValue wanted = request("connect", kNodes, "", node);
  wanted.set("subresource", "proxy");
  wanted.set("path", "stats/summary");
  LOTSE_TRY(std::string body, ask(std::move(wanted)));
  return json::parse(body);
}

int failed(const Cluster& cluster, const Status& status, Streams streams) {
  streams.err << "lotse: " << status.message << "\n";
  return cluster.exit_code() == kExitOk ? kExitFailed : cluster.exit_code();
}

}  // namespace lotse::cli
