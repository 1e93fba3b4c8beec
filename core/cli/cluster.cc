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

Result<std::vector<ObjectPtr>> Cluster::list(const Kind& kind, const std::string& ns, const Options& options) {
  MsgValue asked = MsgValue::map(), wanted = request("list", kind, ns, "");
  for (const auto& [key, value] : options) asked.set(key, value);
  wanted.set("options", std::move(asked));
  LOTSE_TRY(std::string body, ask(std::move(wanted)));
  LOTSE_TRY(json::Value answer, json::parse(body));
  std::vector<ObjectPtr> out;
  for (json::Value& item : answer["items"].array_items()) out.push_back(Object::from_value(std::move(item), 0));
  return out;
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
