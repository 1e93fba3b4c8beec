/* SPDX-License-Identifier: Apache-2.0
 *
 * What the host offers to a plugin: services, asked for by id. A plugin that needs one which the host
 * lacks says so in the sentence with which init or create fails.
 */
#ifndef LOTSE_ABI_HOST_H
#define LOTSE_ABI_HOST_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LOTSE_HOST_LOG "lotse.host.log/1"
#define LOTSE_HOST_LOOP "lotse.host.loop/1"
#define LOTSE_HOST_PATHS "lotse.host.paths/1"
#define LOTSE_HOST_FAULT "lotse.host.fault/1"

typedef struct lotse_host {
  uint32_t size;
  uint32_t reserved;
  void* self;
  const char* version; /* "0.1.0" */
  /* [any] A service's struct by id, or NULL. Lives as long as the host. Its functions take `self` of
   * that service, not of the host. */
  const void* (*service)(void* self, const char* id);
} lotse_host;

/* lotse.host.log/1: one line an event. */
enum lotse_level { LOTSE_DEBUG = 0, LOTSE_INFO = 1, LOTSE_WARN = 2, LOTSE_FAIL = 3 };
typedef struct lotse_host_log {
  uint32_t size;
  uint32_t reserved;
  void* self;
  /* [any] `event` is a stable id ("started", "image.pulled"); the host puts the plugin's name before
   * it. Over 100 lines a second from one plugin are counted and dropped. */
  void (*write)(void* self, int32_t level, const char* event, lotse_bytes message, const lotse_pair* fields,
                size_t field_count);
  /* [any] Lowest level that is written. */
  int32_t (*level)(void* self);
} lotse_host_log;

/* lotse.host.loop/1: a loop thread of the host, so that a plugin needs none of its own. Callbacks come
 * on that one thread [loop] and never from within a call. */
typedef struct lotse_host_loop {
  uint32_t size;
  uint32_t reserved;
  void* self;
  /* [any] Calls fn(ctx) soon. */
  void (*post)(void* self, void (*fn)(void* ctx), void* ctx);
  /* [any] Calls fn(ctx) once after delay_ns, unless stopped. Returns an id above 0. */
  uint64_t (*timer_start)(void* self, int64_t delay_ns, void (*fn)(void* ctx), void* ctx);
  /* [any] Non-zero: it was stopped and fn will not be called. */
  int32_t (*timer_stop)(void* self, uint64_t id);
  /* [any] Calls fn(ctx, events) when fd is ready: 1 readable, 2 writable, 4 error; level-triggered, as
   * long as it is watched. The fd stays the plugin's. Returns an id, 0 on failure. */
  uint64_t (*watch_start)(void* self, int32_t fd, uint32_t events, void (*fn)(void* ctx, uint32_t events), void* ctx);
  /* [any] After return, from another thread too, fn runs no more. */
  void (*watch_stop)(void* self, uint64_t id);
  /* [any] Runs fn(ctx) on a thread of the bounded pool [worker]. LOTSE_BUSY: the queue is full. */
  int32_t (*work)(void* self, void (*fn)(void* ctx), void* ctx);
} lotse_host_loop;

/* lotse.host.paths/1: where a plugin may keep things. Both exist, 0700, and are its own. */
typedef struct lotse_host_paths {
  uint32_t size;
  uint32_t reserved;
  void* self;
  const char* data_dir; /* survives a reboot: DIR/<kind>/<name> */
  const char* run_dir;  /* need not survive a reboot */
  const char* node_name;
  const char* daemon_dir; /* DIR itself, to tell our containers and rules from those of another lotsed */
} lotse_host_paths;

/* lotse.host.fault/1: what an operator must see: a node condition and an event. */
typedef struct lotse_host_fault {
  uint32_t size;
  uint32_t reserved;
  void* self;
  /* [any] Raises or changes the fault `id`; `reason` is CamelCase, `message` a sentence. */
  void (*raise)(void* self, const char* id, const char* reason, lotse_bytes message);
  /* [any] It is over. */
  void (*clear)(void* self, const char* id);
} lotse_host_fault;

#ifdef __cplusplus
}
#endif
#endif
