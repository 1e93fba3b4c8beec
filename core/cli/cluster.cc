#include "core/cli/cluster.h"

#include "core/cli/exchange.h"

namespace lotse::cli {

Result<json::Value> Cluster::ask(const char* verb, const Kind& kind, const std::string& ns, const std::string& name, const Options& options) {
  MsgValue asked = MsgValue::map();
  for (const auto& [key, value] : options) asked.set(key, value);
  std::string body;
  Ended ended = exchange(data_dir_,
                         MsgValue::map({{"command", "api"}, {"verb", verb}, {"group", kind.group}, {"version", kind.version}, {"resource", kind.resource},
                                        {"namespace", ns}, {"name", name}, {"options", std::move(asked)}}),
                         [&body](const MsgValue& frame) {
                           body += frame["data"].as_text();
                           return Status();
                         });
  exit_code_ = ended.code;
  if (ended.code != kExitOk) return Status(Reason::kInternalError, ended.sentence);
  return json::parse(body);
}

Result<json::Value> Cluster::get(const Kind& kind, const std::string& ns, const std::string& name) { return ask("get", kind, ns, name, {}); }

Result<std::vector<ObjectPtr>> Cluster::list(const Kind& kind, const std::string& ns, const Options& options) {
  LOTSE_TRY(json::Value answer, ask("list", kind, ns, "", options));
  std::vector<ObjectPtr> out;
  for (json::Value& item : answer["items"].array_items()) out.push_back(Object::from_value(std::move(item), 0));
  return out;
}

}  // namespace lotse::cli
