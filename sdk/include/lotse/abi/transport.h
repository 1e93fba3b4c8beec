/* SPDX-License-Identifier: Apache-2.0
 *
 * API transport, "lotse.transport/1": accepts connections, turns its wire into API requests, and the answers
 * and streams back. It decides nothing: who somebody is and what he may do is the host's business; the
 * transport hands over the certificate chain and the token as they came.
 *
 * Requests go to the host's service "lotse.host.api/1", certificates come from "lotse.host.tls/1".
 * What a transport must hold to: a client that reads slowly costs at most a bounded buffer (1 MiB) and holds
 * nobody up; limits of size and time are its own; when certificates change, new handshakes use the new ones and
 * connections that are older than the bound of its configuration are closed.
 */
#ifndef LOTSE_ABI_TRANSPORT_H
#define LOTSE_ABI_TRANSPORT_H

#include "entry.h"
#include "stream.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LOTSE_HOST_API "lotse.host.api/1"
#define LOTSE_HOST_TLS "lotse.host.tls/1"

enum lotse_verb {
  LOTSE_VERB_GET = 1, LOTSE_VERB_LIST = 2, LOTSE_VERB_WATCH = 3, LOTSE_VERB_CREATE = 4, LOTSE_VERB_UPDATE = 5,
  LOTSE_VERB_PATCH = 6, LOTSE_VERB_DELETE = 7, LOTSE_VERB_DELETECOLLECTION = 8,
  LOTSE_VERB_CONNECT = 9, /* exec, attach, portforward, proxy: whatever the wire's method was; see `method` */
  LOTSE_VERB_HEAD = 10, LOTSE_VERB_POST = 11, LOTSE_VERB_PUT = 12, LOTSE_VERB_OPTIONS = 13 /* 10 to 13: non-resource paths only */
};

/* A request. Either a resource request (resource not empty) or one for a path ("/healthz", "/openapi/v2", "/apis"). */
typedef struct lotse_api_request {
  uint32_t size;
  uint32_t verb;           /* enum lotse_verb */
  lotse_bytes group, version, resource, ns, name, subresource;
  lotse_bytes path;        /* non-resource requests: the path, decoded; connect to proxy: what follows "proxy" */
  lotse_bytes method;      /* the wire's own method ("POST"), for connect */
  const lotse_pair* options; /* query parameters as Kubernetes names them, decoded; names may repeat */
  size_t option_count;
  lotse_bytes content_type, accept, user_agent;
  lotse_bytes token;       /* a bearer token, without "Bearer " */
  const lotse_bytes* certificates; /* the client's verified-as-possession chain, DER, leaf first */
  size_t certificate_count;
  const lotse_pair* headers; /* Impersonate-*, If-None-Match, and for proxy all others */
  size_t header_count;
  lotse_bytes remote_address; /* "192.0.2.7:51234", or "unix" */
  lotse_owned body;        /* handed over */
  int64_t deadline_ns;     /* 0: the host's own */
} lotse_api_request;

enum lotse_upgrade { LOTSE_UPGRADE_NONE = 0, LOTSE_UPGRADE_CHANNELS = 1, LOTSE_UPGRADE_PORTFORWARD = 2, LOTSE_UPGRADE_RAW = 3 };

/* An answer's head and, unless it streams, its body. */
typedef struct lotse_api_response {
  uint32_t size;
  uint32_t status;         /* as in HTTP: 200, 404, ... */
  lotse_bytes content_type;
  const lotse_pair* headers; /* "Warning", "Retry-After", "ETag", "Audit-Id", ... */
  size_t header_count;
  /* A scatter list: parts to be sent one after the other. The list and its bytes are valid until release(ctx); without
   * release, as long as the process lives. */
  const lotse_bytes* body;
  size_t body_count;
  void (*release)(void* ctx); /* [any] the transport calls it once when the body was sent or given up; may be NULL */
  void* release_ctx;
  uint32_t streams;        /* 1: more comes over the stream (watch, logs, connect) */
  /* connect: enum lotse_upgrade: how the stream's channels stand on the wire.
   * LOTSE_UPGRADE_PORTFORWARD: one client connection forwards many, to ports that it may name later. The answer to the
   * client's own request only says that it may; its stream is not opened. Each forwarded connection is then a request of
   * its own, the same but with one option "ports" = that one port, and its stream carries that one connection.
   * LOTSE_UPGRADE_RAW: status and headers are the answer as the client shall see it (101 with its Upgrade and Connection
   * headers); then the stream's bytes run both ways. */
  uint32_t upgrade;
} lotse_api_response;

/* Where the answer goes. */
typedef struct lotse_api_reply {
  uint32_t size;
  uint32_t reserved;
  void* ctx;
  /* [any] Exactly once for every submit, possibly from within it. Borrowed until return, except the body. With
   * response->streams the transport calls open (see below) exactly once, soon, or gives up with cancel of the call. */
  void (*respond)(void* ctx, const lotse_api_response* response, uint64_t stream_id);
} lotse_api_reply;

/* lotse.host.api/1 */
typedef struct lotse_host_api {
  uint32_t size;
  uint32_t reserved;
  void* self;
  /* [any] Takes a request; all but the body is borrowed until return. Returns an id for cancel. */
  uint64_t (*submit)(void* self, const lotse_api_request* request, const lotse_api_reply* reply);
  /* [any] The client is gone. respond still comes (and may be ignored); a stream that was not opened ends. */
  void (*cancel)(void* self, uint64_t id);
  /* [any] Opens the stream of a response. Watch: every item is one event's JSON without a line end, channel 0.
   * Logs: channel 0. Channels: enum lotse_channel. Raw: channel 0 both ways. */
  int32_t (*open)(void* self, uint64_t stream_id, const lotse_stream_sink* sink, lotse_stream* stream);
} lotse_host_api;

/* lotse.host.tls/1: what a transport serves with. PEM text, borrowed until the callback returns. */
typedef struct lotse_tls_material {
  uint32_t size;
  uint32_t generation;       /* grows with every change */
  lotse_bytes certificate;   /* the chain, leaf first */
  lotse_bytes key;
  lotse_bytes client_ca;     /* whom to ask client certificates of; verification is the host's */
  lotse_bytes bus_public;    /* CURVE, Z85: for transports over ZeroMQ */
  lotse_bytes bus_secret;
} lotse_tls_material;

typedef struct lotse_host_tls {
  uint32_t size;
  uint32_t reserved;
  void* self;
  /* [any] Calls fn once at once, from within, and again [loop] after every change until unsubscribe. */
  uint64_t (*subscribe)(void* self, void (*fn)(void* ctx, const lotse_tls_material* material), void* ctx);
  void (*unsubscribe)(void* self, uint64_t id);
} lotse_host_tls;

typedef struct lotse_transport {
  lotse_instance base;
  /* [init] Binds and begins to accept. Fails in a sentence that names the address. */
  int32_t (*start)(void* self, lotse_error* error);
  /* [any] Stops accepting; ends idle connections; done when all have ended or at the deadline. */
  void (*drain)(void* self, const lotse_call* call);
  /* [any] Addresses it listens on, one a line ("0.0.0.0:6443"), to sink. */
  void (*addresses)(void* self, void (*on_address)(void* ctx, lotse_bytes address), void* ctx);
} lotse_transport;

#ifdef __cplusplus
}
#endif
#endif
