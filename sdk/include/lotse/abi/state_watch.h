/* SPDX-License-Identifier: Apache-2.0
 *
 * "lotse.state.watch/1": an extension of lotse_state that every backend needs to serve a cluster.
 *
 * A watch is a lotse_stream. An item's bytes are one lotse_state_events struct in the plugin's memory,
 * borrowed with all that it points to until on_item returns; its size in terms of credit is the sum of
 * its keys and values.
 *
 * From the revision that was asked for on, every change of a key within the range is given exactly once, in
 * the order of revisions, across reconnects and compactions. When the revision has been compacted the
 * stream ends with LOTSE_COMPACTED. A watcher without credit holds nobody up: the plugin remembers where it
 * stands and reads from there later.
 */
#ifndef LOTSE_ABI_STATE_WATCH_H
#define LOTSE_ABI_STATE_WATCH_H

#include "state.h"
#include "stream.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LOTSE_STATE_WATCH "lotse.state.watch/1"

typedef struct lotse_state_event {
  uint32_t size;
  uint32_t kind;              /* enum lotse_state_kind */
  uint64_t revision;
  lotse_bytes key;
  lotse_bytes value;          /* PUT */
  lotse_bytes previous;       /* the value before, if there was one */
  uint64_t previous_revision; /* 0: the key did not exist */
} lotse_state_event;

typedef struct lotse_state_events {
  uint32_t size;
  uint32_t reserved;
  const lotse_state_event* events; /* an array with elements of events[0].size bytes */
  size_t count;                    /* may be 0: only progress */
  uint64_t progress;               /* everything up to and including this revision has been given */
} lotse_state_events;

typedef struct lotse_state_watch {
  uint32_t size;
  uint32_t reserved;
  /* [any] `self` is the instance's. Changes with a revision >= from (0: from now on) of keys in [start, end);
   * end empty: all from start on. Borrowed until return. */
  int32_t (*open)(void* self, lotse_bytes start, lotse_bytes end, uint64_t from, const lotse_stream_sink* sink,
                  lotse_stream* stream, lotse_error* error);
} lotse_state_watch;

#ifdef __cplusplus
}
#endif
#endif
