#include "core/daemon/lease_keeper.h"

#include "core/base/log.h"
#include "core/security/identity.h"

namespace lotse::daemon {
namespace {

const api::ResourceRef kLeases{"coordination.k8s.io", "v1", "leases"};
constexpr const char* kNamespace = "kube-node-lease";
constexpr int kLeaseSeconds = 40;

}  // namespace

void LeaseKeeper::heard(const std::string& node) {
  loop_.post([this, node, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired() && busy_.insert(node).second) renew(node);
  });
}

void LeaseKeeper::renew(const std::string& node) {
  auto& client = clients_[node];
  if (!client) client = std::make_unique<api::Client>(handler_, loop_, std::make_shared<const security::User>(security::node_user(node)), "lotse-bus");
  json::Value patch;
  patch["spec"]["renewTime"] = format_micro_time(loop_.clock().now());
  client->patch(kLeases, kNamespace, node, api::Client::PatchType::kMerge, patch, [this, node, alive = std::weak_ptr<bool>(alive_)](Result<ObjectPtr> r) {
    if (alive.expired()) return;
    if (!r.ok() && r.status().reason == Reason::kNotFound) return create(node);
    busy_.erase(node);
    if (!r.ok()) log::debug("daemon.lease_kept", "a node's lease could not be renewed", {{"node", node}, {"reason", r.status().message}});
  });
}

void LeaseKeeper::create(const std::string& node) {
  json::Value lease = json::Value::object({{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}});
  lease["metadata"]["name"] = node;
  lease["metadata"]["namespace"] = kNamespace;
  lease["spec"]["holderIdentity"] = node;
  lease["spec"]["leaseDurationSeconds"] = kLeaseSeconds;
  lease["spec"]["renewTime"] = format_micro_time(loop_.clock().now());
  clients_[node]->create(kLeases, kNamespace, std::move(lease), [this, node, alive = std::weak_ptr<bool>(alive_)](Result<ObjectPtr> r) {
    if (alive.expired()) return;
    busy_.erase(node);
    if (!r.ok()) log::debug("daemon.lease_kept", "a node's lease could not be made", {{"node", node}, {"reason", r.status().message}});
  });
}

}  // namespace lotse::daemon
