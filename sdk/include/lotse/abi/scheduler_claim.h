/* SPDX-License-Identifier: Apache-2.0
 *
 * Extension "lotse.scheduler.claim/1": a policy that says by which plain rule it chooses among fit nodes can be held to it.
 * lotse-plugin-check then compares its answers with a naive reference of that rule.
 *
 * The rules are about plain pods: those without preferences of their own (preferred terms, pod affinity, constraints that
 * are not required) on nodes without images and PreferNoSchedule taints.
 *   "fullest"   the node of which the greatest share of cpu and memory is taken then
 *   "balanced"  pods without an owner: the share that is left, and the likeness of cpu's and memory's share, added up
 *   "even"      the fewest pods of the same owner in the zone, then on the node; the fewest pods with the same labels in
 *               the zone, then on the node; then the node of which the greatest share is left
 */
#ifndef LOTSE_ABI_SCHEDULER_CLAIM_H
#define LOTSE_ABI_SCHEDULER_CLAIM_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LOTSE_SCHEDULER_CLAIM "lotse.scheduler.claim/1"

typedef struct lotse_scheduler_claim {
  uint32_t size;
  uint32_t reserved;
  const char* rule;
} lotse_scheduler_claim;

#ifdef __cplusplus
}
#endif
#endif
