// root-ca-certificate-publisher: every Namespace has a ConfigMap "kube-root-ca.crt" with the cluster's CA, for pods to
// mount.
#pragma once
#include "core/control/controller.h"

namespace lotse::control {

class RootCaCertificatePublisher : public Controller {
 public:
  explicit RootCaCertificatePublisher(std::string ca_pem) : ca_pem_(std::move(ca_pem)) {}
  std::string_view name() const override { return "root-ca-certificate-publisher"; }
  std::vector<store::ResourceName> resources() const override;
  std::vector<std::string> keys(const store::Event& event, const View& view) override;
  Outcome reconcile(const std::string& key, const View& view, WallTime now) override;

 private:
  std::string ca_pem_;
};

}  // namespace lotse::control
