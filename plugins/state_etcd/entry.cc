// The door of the etcd backend.
#include "plugins/state_etcd/etcd_state.h"

LOTSE_PLUGIN(state, "etcd", "0.1.0", 2, "state in an etcd cluster, for one master or several",
             lotse::state_etcd::EtcdState)
