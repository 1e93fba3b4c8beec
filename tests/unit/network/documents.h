// Objects from YAML, for tests.
#pragma once
#include <string>

#include "core/network/services.h"

namespace lotse::network {

inline ObjectPtr object(const std::string& yaml) { return Object::from_value(*json::parse_yaml(yaml), 1); }
inline void put_service(Services& services, const std::string& yaml) {
  ObjectPtr o = object(yaml);
  services.set_service(o->header().ns, o->header().name, o);
}
inline void put_slice(Services& services, const std::string& yaml) {
  ObjectPtr o = object(yaml);
  services.set_slice(o->header().ns, o->header().name, o);
}

inline constexpr const char* kWeb = R"(
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: web}
spec:
  clusterIPs: [10.96.0.20, "fd00::20"]
  ports: [{name: http, port: 80, protocol: TCP}, {name: dns, port: 53, protocol: UDP}]
)";
inline constexpr const char* kWebSlice = R"(
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: shop, name: web-1, labels: {kubernetes.io/service-name: web}}
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints:
- {addresses: [10.244.1.5], nodeName: n1, conditions: {ready: true}}
- {addresses: [10.244.2.6], nodeName: n2, conditions: {ready: false, serving: true, terminating: true}}
)";
inline constexpr const char* kDb = R"(
apiVersion: v1
kind: Service
metadata: {namespace: shop, name: db}
spec:
  clusterIPs: [None]
  ports: [{name: sql, port: 5432, protocol: TCP}]
)";
inline constexpr const char* kDbSlice = R"(
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: shop, name: db-1, labels: {kubernetes.io/service-name: db}}
ports: [{name: sql, port: 5432, protocol: TCP}]
endpoints:
- {addresses: [10.244.1.7], hostname: db-0, conditions: {ready: true}}
- {addresses: [10.244.2.8], conditions: {ready: true}}
- {addresses: [10.244.2.9], hostname: db-2, conditions: {ready: false}}
)";

}  // namespace lotse::network
