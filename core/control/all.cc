#include "core/control/all.h"

#include "core/base/ids.h"
#include "core/control/apiserver_endpoint/apiserver_endpoint.h"
#include "core/control/clusterrole_aggregation/clusterrole_aggregation.h"
#include "core/control/deployment/deployment.h"
#include "core/control/disruption/disruption.h"
#include "core/control/endpoints/endpoints.h"
#include "core/control/endpointslice/endpointslice.h"
#include "core/control/garbage_collector/garbage_collector.h"
#include "core/control/namespace/namespace.h"
#include "core/control/node_ipam/node_ipam.h"
#include "core/control/node_lifecycle/node_lifecycle.h"
#include "core/control/pod_garbage_collector/pod_garbage_collector.h"
#include "core/control/replicaset/replicaset.h"
#include "core/control/resourcequota/resourcequota.h"
#include "core/control/root_ca_certificate_publisher/root_ca_certificate_publisher.h"
#include "core/control/service_load_balancer/service_load_balancer.h"
#include "core/control/serviceaccount/serviceaccount.h"
#include "core/control/taint_eviction/taint_eviction.h"
#include "core/schema/schema.h"

namespace lotse::control {

std::vector<Settings::Resource> schema_resources() {
  std::vector<Settings::Resource> out;
  for (const schema::ResourceInfo* r : schema::all())
    if (!r->virtual_resource)
      out.push_back({std::string(r->group), std::string(r->version), std::string(r->resource), std::string(r->kind),
                     r->namespaced});
  return out;
}

std::vector<std::unique_ptr<Controller>> all_controllers(const Settings& s) {
  std::vector<std::unique_ptr<Controller>> all;
  auto suffix = s.suffix ? s.suffix : [] { return make_suffix(); };
  all.push_back(std::make_unique<ApiserverEndpointController>(s));
  all.push_back(std::make_unique<NamespaceController>(s.resources));
  all.push_back(std::make_unique<ServiceAccountController>());
  all.push_back(std::make_unique<RootCaCertificatePublisher>(s.ca_pem));
  all.push_back(std::make_unique<DeploymentController>());
  all.push_back(std::make_unique<ReplicaSetController>(suffix));
  all.push_back(std::make_unique<EndpointsController>());
  all.push_back(std::make_unique<EndpointSliceController>());
  all.push_back(std::make_unique<NodeIpamController>(s.pod_cidrs));
  all.push_back(std::make_unique<NodeLifecycleController>(s.node_lifecycle));
  all.push_back(std::make_unique<TaintEvictionController>());
  if (s.load_balancer) all.push_back(std::make_unique<ServiceLoadBalancerController>());
  all.push_back(std::make_unique<DisruptionController>());
  all.push_back(std::make_unique<ClusterRoleAggregationController>());
  all.push_back(std::make_unique<ResourceQuotaController>(s.resources));
  all.push_back(std::make_unique<PodGarbageCollector>(s.terminated_pods_max));
  all.push_back(std::make_unique<GarbageCollector>(s.resources));
  return all;
}

}  // namespace lotse::control
