// The kinds that controllers read and write.
#pragma once
#include <string>
#include <string_view>

#include "core/store/store.h"

namespace lotse::control {

struct Kind {
  std::string_view group, version, resource, kind;
  store::ResourceName name() const {
    return group.empty() ? std::string(resource) : std::string(resource) + "." + std::string(group);
  }
  std::string api_version() const {
    return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
  }
};

// Which Service an EndpointSlice is of.
inline constexpr const char* kServiceNameLabel = "kubernetes.io/service-name";

inline constexpr Kind kNamespaces{"", "v1", "namespaces", "Namespace"};
inline constexpr Kind kNodes{"", "v1", "nodes", "Node"};
inline constexpr Kind kPods{"", "v1", "pods", "Pod"};
inline constexpr Kind kServices{"", "v1", "services", "Service"};
inline constexpr Kind kEndpoints{"", "v1", "endpoints", "Endpoints"};
inline constexpr Kind kConfigMaps{"", "v1", "configmaps", "ConfigMap"};
inline constexpr Kind kServiceAccounts{"", "v1", "serviceaccounts", "ServiceAccount"};
inline constexpr Kind kEvents{"", "v1", "events", "Event"};
inline constexpr Kind kEndpointSlices{"discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"};
inline constexpr Kind kLeases{"coordination.k8s.io", "v1", "leases", "Lease"};
inline constexpr Kind kDeployments{"apps", "v1", "deployments", "Deployment"};
inline constexpr Kind kReplicaSets{"apps", "v1", "replicasets", "ReplicaSet"};
inline constexpr Kind kDisruptionBudgets{"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"};
inline constexpr Kind kResourceQuotas{"", "v1", "resourcequotas", "ResourceQuota"};
inline constexpr Kind kClusterRoles{"rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole"};

}  // namespace lotse::control
