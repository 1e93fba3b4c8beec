#include <fmt/format.h>

#include "core/cli/cluster.h"
#include "core/operator/why.h"

namespace lotse::cli {
namespace {

Result<ops::Surroundings> look(Cluster& cluster, const std::string& ns, const std::string& name) {
  ops::Surroundings s;
  LOTSE_TRY(s.pods, cluster.list(kPods));
  std::string near;
  for (const auto& pod : s.pods) {
    if (pod->header().ns != ns) continue;
    if (pod->header().name == name) s.pod = pod;
    else if (pod->header().name.starts_with(name)) near += " " + pod->header().name;
  }
  if (!s.pod) {
    return Status(Reason::kNotFound, fmt::format("there is no pod {} in the namespace {}{}", name, ns, near.empty() ? "" : "; there are:" + near));
  }
  LOTSE_TRY(s.nodes, cluster.list(kNodes));
  LOTSE_TRY(s.namespaces, cluster.list(kNamespaces));
  LOTSE_TRY(auto events, cluster.list(kEvents, ns, {{"fieldSelector", "involvedObject.kind=Pod,involvedObject.name=" + name}}));
  for (const auto& event : events) {
    json::Value value = event->value();
    const std::string_view uid = value["involvedObject"]["uid"].str();
    if (uid.empty() || uid == s.pod->header().uid) s.events.push_back(std::move(value));
  }
  return s;
}

}  // namespace

int explain_pod(Cluster& cluster, const std::string& what, const std::string& ns, Format format, Streams streams) {
  const size_t slash = what.find('/');
  const std::string kind = slash == what.npos ? "pod" : what.substr(0, slash);
  if (kind != "pod" && kind != "pods" && kind != "po") {
    streams.err << "lotse: only pods are explained: pod/NAME, not '" << what << "'\n";
    return kExitUsage;
  }
  auto surroundings = look(cluster, ns, what.substr(slash == what.npos ? 0 : slash + 1));
  if (!surroundings.ok()) return failed(cluster, surroundings.status(), streams);
  const ops::Explanation explanation = ops::why(*surroundings, Clock::system().now());
  streams.out << (format == Format::kText ? ops::as_text(explanation) : write_facts(ops::as_json(explanation), format));
  return kExitOk;
}

}  // namespace lotse::cli
