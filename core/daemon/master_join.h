// A master that joins others: what makes it one of the cluster's (CA, key of the service-account tokens) goes over the join socket's CURVE
// link and is sealed for the new master's own key besides (core/security/curve). Each master has a bus key of its own.
#pragma once
#include <string>

#include "core/bus/bus.h"
#include "core/daemon/base.h"
#include "core/store/store.h"

namespace lotse::daemon {

// [main] The new master's end. Before anything in `pki` is made: fetches it with the join string, if this cluster has a CA already.
// kInvalid: the cluster has one, and there is nothing to fetch it with.
Status fetch_master_keys(Base& base, store::Store& store, const std::string& pki, const security::CurvePair& keys);

// [main] Only one CA in a cluster: the first master records its own, others must have the same.
Status settle_authority(store::Store& store, const std::string& ca_pem);

// [worker] The other end: what is sealed for the owner of `public_z85`.
Result<Bytes> sealed_master_keys(const std::string& pki, const std::string& public_z85);

}  // namespace lotse::daemon
