#include "plugins/transport_zmq/zmq_transport.h"

LOTSE_PLUGIN(transport, "zmq", "0.1.0", 2, "the Kubernetes API as MessagePack over ZeroMQ with CURVE", lotse::transport_zmq::ZmqTransport)
