/* SPDX-License-Identifier: Apache-2.0
 *
 * The words that every other header of the ABI is made of.
 *
 * Rules that hold for the whole ABI
 * ---------------------------------
 * - C99. No exception, no std or Asio type and no C++ object crosses.
 * - Every struct that may grow starts with its own size in bytes and only ever grows at its end. Who
 *   reads a struct made by the other side first checks that the member lies within `size`
 *   (LOTSE_HAS). A NULL function pointer means "not offered".
 * - What comes in is borrowed: it is valid until the function returns, unless the comment says more.
 *   Nothing is freed by the other side: what must live longer is handed over as a lotse_owned, which
 *   brings its own release function.
 * - Every function carries a thread tag in brackets:
 *     [init]    called once, before any instance runs, or after all have ended; may block
 *     [loop]    called on a loop thread: must not block, must return within a millisecond
 *     [worker]  called on a thread of the host's bounded pool: may block until its deadline
 *     [any]     may be called from any thread at any time, must not block
 * - Text is UTF-8 and is not NUL-terminated, unless it is a `const char*`.
 * - Times are nanoseconds: `_ns` of CLOCK_MONOTONIC for deadlines, `unix_ns` for points in time.
 */
#ifndef LOTSE_ABI_TYPES_H
#define LOTSE_ABI_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A plugin loads into a host of the same major; of the minor, the host's must be at least the
 * plugin's. Structs grow with the minor, meanings never change within a major. */
#define LOTSE_ABI_MAJOR 1
#define LOTSE_ABI_MINOR 0

/* True if `member` lies within what the maker of *p knew. */
#define LOTSE_HAS(p, type, member) \
  ((p)->size >= offsetof(type, member) + sizeof(((const type*)0)->member))

/* Borrowed bytes. data may be NULL when size is 0. */
typedef struct lotse_bytes {
  const void* data;
  size_t size;
} lotse_bytes;

/* Bytes that were handed over. The receiver calls release(ctx) exactly once, from any thread; release
 * may be NULL for bytes that live as long as the process. */
typedef struct lotse_owned {
  const void* data;
  size_t size;
  void (*release)(void* ctx);
  void* ctx;
} lotse_owned;

typedef struct lotse_pair {
  lotse_bytes key;
  lotse_bytes value;
} lotse_pair;

/* How a call ended. The numbers are permanent. */
enum lotse_code {
  LOTSE_OK = 0,
  LOTSE_INVALID = 1,      /* what was asked makes no sense; asking again will not help */
  LOTSE_NOT_FOUND = 2,    /* the thing named does not exist */
  LOTSE_EXISTS = 3,       /* it exists already and differs from what was asked */
  LOTSE_CONFLICT = 4,     /* an expected revision or a guard did not hold; nothing was changed */
  LOTSE_COMPACTED = 5,    /* the revision asked for is no longer kept */
  LOTSE_NO_SPACE = 6,     /* the disk, a quota or a table is full */
  LOTSE_READ_ONLY = 7,    /* the store cannot be written to at the moment */
  LOTSE_UNAVAILABLE = 8,  /* not now; nothing was done; asking again may help */
  LOTSE_UNKNOWN = 9,      /* it may or may not have happened: read before you try again */
  LOTSE_DEADLINE = 10,    /* the deadline passed; counts as LOTSE_UNKNOWN for calls that change things */
  LOTSE_CANCELLED = 11,   /* given up because the caller asked for it */
  LOTSE_UNSUPPORTED = 12, /* this plugin cannot do that here */
  LOTSE_INTERNAL = 13,    /* the plugin is at fault */
  LOTSE_DENIED = 14,      /* credentials or permissions are missing */
  LOTSE_TOO_LARGE = 15,   /* over a limit that is part of the contract */
  LOTSE_BUSY = 16         /* a queue is full: wait for credit */
};

/* Where a call that returns at once puts its complaint. The caller owns it and sets size and
 * message_size; the callee writes a NUL-terminated sentence, cut where it does not fit. */
typedef struct lotse_error {
  uint32_t size;
  int32_t code; /* enum lotse_code */
  char message[504];
} lotse_error;

/* A call that completes later. Valid until done has returned; the callee may keep a copy of the
 * struct. Exactly one done follows each call, before the function returns or later, from any thread,
 * also when the deadline has passed or the call was cancelled. */
typedef struct lotse_call {
  uint32_t size;
  uint32_t reserved;
  int64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
  void* ctx;
  /* [any] Ends the call. With LOTSE_OK `payload` is the answer, else a sentence for people. */
  void (*done)(void* ctx, int32_t code, lotse_bytes payload);
  /* [any] Non-zero once the caller has lost interest: end soon, with LOTSE_CANCELLED. */
  int32_t (*cancelled)(void* ctx);
} lotse_call;

#ifdef __cplusplus
}
#endif
#endif
