// DIR/admin.kubeconfig: what kubectl needs to be the administrator. Written at the first start, and again when its certificate has had two
// thirds of its life or the address has changed. 0600.
#pragma once
#include <string>

#include "core/base/clock.h"
#include "core/security/security.h"

namespace lotse::daemon {

Status write_admin_kubeconfig(security::Authority& authority, const Clock& clock, const std::string& file, const std::string& server, bool anew = false);

}  // namespace lotse::daemon
