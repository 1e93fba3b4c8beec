/* SPDX-License-Identifier: Apache-2.0
 *
 * State backend, "lotse.state/1": ordered keys with one growing revision.
 *
 * The model
 * ---------
 * - A key is 1 to LOTSE_STATE_KEY_MAX bytes, a value 0 to LOTSE_STATE_VALUE_MAX bytes. Keys are ordered
 *   as unsigned bytes.
 * - The store has one revision, a number that starts at 1 for the empty store and never falls. Every
 *   operation that changes something gets a revision of its own, greater than all before it (numbers may
 *   be skipped). A key carries the revision of its last change.
 * - A commit hands over operations; each succeeds or fails by itself and sees all those before it.
 *   Operations that wait at the same time may be made durable together. What was answered LOTSE_OK with
 *   LOTSE_STATE_DURABLE survives a power cut, and so does everything with a lower revision.
 * - Until it is compacted, every past revision can be read, and watched from.
 *
 * Errors: a full or read-only disk is LOTSE_NO_SPACE or LOTSE_READ_ONLY for puts; ranges go on, and deletes
 * as far as a reserve allows. When it cannot be known whether a commit took place the outcome is
 * LOTSE_UNKNOWN and the plugin does not retry.
 */
#ifndef LOTSE_ABI_STATE_H
#define LOTSE_ABI_STATE_H

#include "entry.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LOTSE_STATE_KEY_MAX 1024u
#define LOTSE_STATE_VALUE_MAX (4u * 1024u * 1024u)
#define LOTSE_STATE_ANY UINT64_MAX /* expected: whatever the key's revision is, or none */

enum lotse_state_kind { LOTSE_STATE_PUT = 1, LOTSE_STATE_DELETE = 2 };
enum lotse_state_durability {
  LOTSE_STATE_DURABLE = 0, /* done is called once it would survive a power cut */
  LOTSE_STATE_RELAXED = 1  /* costs no sync of its own: it becomes durable with the next durable one, or within 5 s.
                            * done may be called at once, or (lmdb) only then */
};

/* Holds if the key's revision is `revision`; 0: the key does not exist. */
typedef struct lotse_state_guard {
  lotse_bytes key;
  uint64_t revision;
} lotse_state_guard;

typedef struct lotse_state_op {
  uint32_t size;
  uint32_t kind;       /* enum lotse_state_kind */
  lotse_bytes key;
  lotse_bytes value;   /* PUT */
  uint64_t expected;   /* the key's revision, 0: must not exist, LOTSE_STATE_ANY */
  const lotse_state_guard* guards; /* all must hold; compared atomically with the write */
  size_t guard_count;  /* at most 16 */
  int64_t ttl_ns;      /* PUT: the key is deleted, with a revision and an event, this long after; 0: never. Accuracy 5 s */
  uint32_t durability; /* enum lotse_state_durability */
  uint32_t reserved;
} lotse_state_op;

typedef struct lotse_state_outcome {
  uint32_t size;
  int32_t code;      /* LOTSE_OK, CONFLICT, NO_SPACE, READ_ONLY, UNAVAILABLE, UNKNOWN, TOO_LARGE, INVALID, BUSY, INTERNAL */
  uint64_t revision; /* OK: of this change. A DELETE of a key that does not exist (with ANY or 0) is OK, makes no
                      * revision and says 0. CONFLICT: the revision that the offending key has, 0 if it is not there */
  int32_t guard;     /* CONFLICT: index of the guard that failed, -1: `expected` did not hold */
  uint32_t reserved;
} lotse_state_outcome;

typedef struct lotse_state_entry {
  uint32_t size;
  uint32_t reserved;
  lotse_bytes key;
  lotse_bytes value;  /* empty with keys_only */
  uint64_t revision;  /* of the key's last change at the revision that is read */
} lotse_state_entry;

typedef struct lotse_state_range {
  uint32_t size;
  uint32_t keys_only;
  lotse_bytes start;  /* first key wanted */
  lotse_bytes end;    /* first key no longer wanted; empty: to the last */
  uint64_t revision;  /* read as it was at this revision; 0: now. Not yet reached: LOTSE_INVALID */
  uint64_t limit;     /* at most so many entries; 0: a chunk as the plugin likes. A plugin may stop earlier */
} lotse_state_range;

typedef struct lotse_state_range_result {
  uint32_t size;
  uint32_t more;       /* there are entries after the last one given: ask again from after it, at `revision` */
  uint64_t revision;   /* at which this was read */
} lotse_state_range_result;

typedef struct lotse_state_info {
  uint32_t size;
  uint32_t fast_reads; /* range does not block for I/O over a network: it may be called on a loop thread. It gives what
                        * this instance holds, which is all that it has answered or shown in a watch */
  uint64_t revision;   /* current; the highest that was answered or seen in a watch is never above it */
  uint64_t compacted;  /* the lowest revision that can still be read; 1 in the beginning */
  uint64_t bytes_used; /* of the backend's storage; 0: unknown */
  uint64_t bytes_limit;
  char identity[64];   /* NUL-terminated; the same for as long as it is the same store */
  uint32_t ephemeral;  /* non-zero: what is stored ends with the instance (a store in memory) */
  uint32_t shared;     /* non-zero: other processes may write to the same store at the same time (several masters) */
} lotse_state_info;

typedef struct lotse_state {
  lotse_instance base;
  /* [any] Queues the operations; done(ctx, outcomes, count) comes exactly once, with an outcome for each in
   * order, from a thread of the plugin, and returns soon. ops are borrowed until commit returns; they are an array with
   * elements of ops[0].size bytes. More than LOTSE_STATE_QUEUE operations waiting (a plugin may also limit their
   * bytes): every outcome is LOTSE_BUSY. */
  void (*commit)(void* self, const lotse_state_op* ops, size_t count,
                 void (*done)(void* ctx, const lotse_state_outcome* outcomes, size_t count), void* ctx);
  /* [worker], or [any] with fast_reads. Calls on_entry for each entry in key order until it returns 0. Entries
   * are borrowed until on_entry returns; on_entry must not block (a read transaction may be open). */
  int32_t (*range)(void* self, const lotse_state_range* range, int32_t (*on_entry)(void* ctx, const lotse_state_entry*),
                   void* ctx, lotse_state_range_result* result, lotse_error* error);
  /* [worker] The current facts: with several writers this asks them (a quorum read). */
  int32_t (*info)(void* self, lotse_state_info* info, lotse_error* error);
  /* [worker] Forgets what is older: afterwards nothing below `revision` can be read or watched from. Current
   * values stay, and so does the value before an event that is still kept. Above the current one: LOTSE_INVALID. May work in small steps; done when nothing older can be read, space may come back later. */
  int32_t (*compact)(void* self, uint64_t revision, lotse_error* error);
} lotse_state;

#define LOTSE_STATE_QUEUE 65536u

#ifdef __cplusplus
}
#endif
#endif
