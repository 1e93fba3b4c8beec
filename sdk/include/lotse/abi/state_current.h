/* SPDX-License-Identifier: Apache-2.0
 *
 * "lotse.state.current/1": an extension of lotse_state for backends that several masters may write to: what is the
 * latest that anybody was answered? Without it, or alone at a store, a read of what this instance holds is current.
 */
#ifndef LOTSE_ABI_STATE_CURRENT_H
#define LOTSE_ABI_STATE_CURRENT_H

#include "state.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LOTSE_STATE_CURRENT "lotse.state.current/1"

typedef struct lotse_state_current {
  uint32_t size;
  uint32_t reserved;
  /* [any] Calls done exactly once, from a thread of the plugin (or before it returns), within timeout_ns or soon after:
   * LOTSE_OK with a revision that is not below any that was answered to anybody, by any instance, before the call;
   * ranges of this instance can be read at it. Else LOTSE_UNAVAILABLE: no quorum answered. */
  void (*ask)(void* self, int64_t timeout_ns, void (*done)(void* ctx, int32_t code, uint64_t revision), void* ctx);
} lotse_state_current;

#ifdef __cplusplus
}
#endif
#endif
