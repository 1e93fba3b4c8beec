/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream: what a call is that takes long. Watch, logs, exec, attach, port-forward, pull and the
 * events of a runtime are all of this one shape.
 *
 * Two sides: the *opener* passes a lotse_stream_sink in and gets a lotse_stream back; the *producer*
 * calls the sink. After a failed open (any code but LOTSE_OK) neither side calls the other.
 *
 *   opener                                   producer
 *   open(request, sink, &stream)  ------->
 *   grant(1 MiB)                  ------->
 *                                 <-------   on_item(channel, bytes) ...
 *   write(channel, bytes)         ------->
 *                                 <-------   on_writable(bytes)
 *   half_close(channel)           ------->
 *                                 <-------   on_end(code, payload)
 *   release()                     ------->
 *
 * Credit, both ways, is counted in bytes, so that one rule serves items of all sizes: while the credit
 * is above zero an item of any size may be sent, and takes its size (at least 1) from it. The
 * producer starts without credit and gets it by grant. The opener starts with LOTSE_STREAM_WINDOW for
 * its writes and gets more by on_writable.
 *
 * Order: the calls to one sink come one after the other, never two at once and never from within a
 * call of the opener on the same stream (a producer that has something to say at once does so from
 * its own thread or loop). on_end is the last of them and comes exactly once, also after cancel.
 */
#ifndef LOTSE_ABI_STREAM_H
#define LOTSE_ABI_STREAM_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LOTSE_STREAM_WINDOW (256u * 1024u)

/* Channels of exec and attach, numbered as in Kubernetes' remote command protocol. A stream that has
 * only one direction uses channel 0; port-forward uses 0 for data both ways and 3 for a complaint. */
enum lotse_channel {
  LOTSE_STDIN = 0,
  LOTSE_STDOUT = 1,
  LOTSE_STDERR = 2,
  LOTSE_ERROR = 3
};

enum lotse_control {
  LOTSE_CONTROL_RESIZE = 1, /* payload: MessagePack {"width": uint16, "height": uint16} */
  LOTSE_CONTROL_SIGNAL = 2  /* payload: MessagePack {"signal": "TERM"} */
};

typedef struct lotse_stream_sink {
  uint32_t size;
  uint32_t reserved;
  void* ctx;
  /* [any] The next item; borrowed until return. */
  void (*on_item)(void* ctx, uint32_t channel, lotse_bytes item);
  /* [any] `bytes` more may be written. */
  void (*on_writable)(void* ctx, uint64_t bytes);
  /* [any] The end. With LOTSE_OK the payload is the stream's result as its function documents it (exec:
   * MessagePack {"exit_code": int}), else a sentence for people. */
  void (*on_end)(void* ctx, int32_t code, lotse_bytes payload);
} lotse_stream_sink;

typedef struct lotse_stream {
  uint32_t size;
  uint32_t reserved;
  void* self;
  /* [any] The producer may send `bytes` more. */
  void (*grant)(void* self, uint64_t bytes);
  /* [any] LOTSE_OK: taken (copied). LOTSE_BUSY: no credit, nothing taken. LOTSE_UNSUPPORTED: the stream
   * or channel takes no input. After the end: LOTSE_CANCELLED. */
  int32_t (*write)(void* self, uint32_t channel, lotse_bytes data);
  /* [any] No more will be written on this channel; what flows the other way goes on. */
  void (*half_close)(void* self, uint32_t channel);
  /* [any] enum lotse_control. LOTSE_UNSUPPORTED where it means nothing. */
  int32_t (*control)(void* self, uint32_t kind, lotse_bytes payload);
  /* [any] End as soon as possible; on_end still comes. */
  void (*cancel)(void* self);
  /* [any] The opener will call nothing more. Called exactly once, after on_end has begun (it may be
   * called from within on_end). */
  void (*release)(void* self);
} lotse_stream;

#ifdef __cplusplus
}
#endif
#endif
