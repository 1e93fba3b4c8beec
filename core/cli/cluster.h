// Cluster: the API as the operator's commands ask it: by the daemon's control socket, as the administrator.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/cli/commands.h"
#include "core/object/object.h"

namespace lotse::cli {

struct Kind {
  const char *group, *version, *resource;
};
inline constexpr Kind kPods{"", "v1", "pods"}, kNodes{"", "v1", "nodes"}, kNamespaces{"", "v1", "namespaces"}, kEvents{"", "v1", "events"};

class Cluster {
 public:
  explicit Cluster(std::string data_dir) : data_dir_(std::move(data_dir)) {}
  Result<json::Value> get(const Kind& kind, const std::string& ns, const std::string& name);
  using Options = std::map<std::string, std::string>;
  Result<std::vector<ObjectPtr>> list(const Kind& kind, const std::string& ns = {}, const Options& options = {});
  int exit_code() const { return exit_code_; }  // of what failed last

 private:
  Result<json::Value> ask(const char* verb, const Kind& kind, const std::string& ns, const std::string& name, const Options& options);
  std::string data_dir_;
  int exit_code_ = kExitOk;
};

// `lotse why`: what a pod waits for. `what`: "pod/NAME", "po/NAME" or "NAME".
int explain_pod(Cluster& cluster, const std::string& what, const std::string& ns, bool json, Streams streams);

}  // namespace lotse::cli
