#include "plugins/transport_rest/rest_transport.h"

LOTSE_PLUGIN(transport, "rest", "0.1.0", 4, "the Kubernetes API over HTTPS", lotse::transport_rest::RestTransport)
