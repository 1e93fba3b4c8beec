/* SPDX-License-Identifier: Apache-2.0
 *
 * Scheduler policy, "lotse.scheduler/1": which node a pod goes to.
 *
 * The host keeps the queue, assumes pods, binds, backs off and writes events; the policy only answers. It is
 * told of nodes and of the pods on them as they change and may keep indexes of its own. All its functions
 * are called on one thread [worker], one at a time, so it needs no lock.
 *
 * Deterministic: the same sequence of calls with the same seeds gives the same answers.
 * Terms and their meaning are those of Kubernetes' Pod and Node; quantities are in the smallest unit: cpu in
 * millicores, all else in whole units (bytes, pieces).
 */
#ifndef LOTSE_ABI_SCHEDULER_H
#define LOTSE_ABI_SCHEDULER_H

#include "entry.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lotse_quantity {
  lotse_bytes resource; /* "cpu", "memory", "ephemeral-storage", "pods", "example.com/gpu" */
  int64_t amount;
} lotse_quantity;

enum lotse_effect { LOTSE_NO_SCHEDULE = 1, LOTSE_PREFER_NO_SCHEDULE = 2, LOTSE_NO_EXECUTE = 3 };
typedef struct lotse_taint {
  lotse_bytes key, value;
  uint32_t effect; /* enum lotse_effect */
  uint32_t reserved;
} lotse_taint;

typedef struct lotse_toleration {
  lotse_bytes key, value; /* an empty key with `exists` tolerates every taint */
  uint32_t exists;        /* 1: operator Exists, 0: Equal */
  uint32_t effect;        /* 0: all effects */
} lotse_toleration;

enum lotse_selector_op {
  LOTSE_OP_IN = 1, LOTSE_OP_NOT_IN = 2, LOTSE_OP_EXISTS = 3, LOTSE_OP_DOES_NOT_EXIST = 4, LOTSE_OP_GT = 5, LOTSE_OP_LT = 6
};
typedef struct lotse_requirement {
  lotse_bytes key;
  uint32_t op; /* enum lotse_selector_op */
  uint32_t field; /* 1: key is a field ("metadata.name"), 0: a label */
  const lotse_bytes* values;
  size_t value_count;
} lotse_requirement;

/* All requirements must hold; none at all matches nothing in a node term and everything in a selector. */
typedef struct lotse_term {
  const lotse_requirement* requirements;
  size_t count;
  int32_t weight; /* preferred terms: 1 to 100 */
  uint32_t reserved;
} lotse_term;

typedef struct lotse_pod_term { /* a term of pod affinity or anti-affinity */
  lotse_term selector;
  uint32_t selector_set;         /* 0: no selector: matches no pod */
  int32_t weight;                /* 0: required */
  const lotse_bytes* namespaces; /* resolved by the host; none: the pod's own */
  size_t namespace_count;
  lotse_bytes topology_key;
} lotse_pod_term;

typedef struct lotse_spread {
  lotse_bytes topology_key;
  lotse_term selector;
  int32_t max_skew;
  int32_t min_domains;      /* 0: not given */
  uint32_t required;        /* 1: DoNotSchedule, 0: ScheduleAnyway */
  uint32_t selector_set;
  uint32_t honor_affinity;  /* nodeAffinityPolicy */
  uint32_t honor_taints;    /* nodeTaintsPolicy */
} lotse_spread;

typedef struct lotse_host_port {
  lotse_bytes ip; /* empty: all addresses */
  uint16_t port;
  uint8_t protocol; /* 6 TCP, 17 UDP, 132 SCTP */
  uint8_t reserved[5];
} lotse_host_port;

typedef struct lotse_sched_image {
  lotse_bytes name;
  int64_t bytes;
} lotse_sched_image;

typedef struct lotse_sched_node {
  uint32_t size;
  uint32_t unschedulable;
  lotse_bytes name;
  const lotse_pair* labels;
  size_t label_count;
  const lotse_taint* taints;
  size_t taint_count;
  const lotse_quantity* allocatable;
  size_t allocatable_count;
  const lotse_sched_image* images;
  size_t image_count;
} lotse_sched_node;

typedef struct lotse_sched_pod {
  uint32_t size;
  int32_t priority;
  lotse_bytes uid, ns, name;
  lotse_bytes node;      /* where it is, is assumed to be, or (spec.nodeName of a pod asked for) must be; else empty */
  lotse_bytes nominated; /* status.nominatedNodeName */
  lotse_bytes owner_uid; /* the controlling owner */
  const lotse_pair* labels;
  size_t label_count;
  const lotse_quantity* requests; /* init containers, sidecars and overhead are reckoned in */
  size_t request_count;
  const lotse_pair* node_selector;
  size_t node_selector_count;
  const lotse_term* node_required; /* any of them must match */
  size_t node_required_count;
  uint32_t node_required_set;
  uint32_t never_preempts; /* preemptionPolicy Never */
  const lotse_term* node_preferred;
  size_t node_preferred_count;
  const lotse_toleration* tolerations;
  size_t toleration_count;
  const lotse_host_port* host_ports;
  size_t host_port_count;
  const lotse_pod_term* affinity;
  size_t affinity_count;
  const lotse_pod_term* anti_affinity;
  size_t anti_affinity_count;
  const lotse_spread* spread;
  size_t spread_count;
  const lotse_bytes* images;
  size_t image_count;
  int64_t start_unix_ns;  /* status.startTime; victims of equal priority: the youngest first */
  uint32_t disruption;    /* bound pods: 1 if evicting it would break a PodDisruptionBudget */
  uint32_t terminating;   /* it has a deletionTimestamp */
} lotse_sched_pod;

typedef struct lotse_sched_reason {
  lotse_bytes node;
  lotse_bytes reason;  /* as in upstream's events: "Insufficient cpu", "node(s) had untolerated taint {k: v}" */
  uint32_t resolvable; /* preempting other pods might help */
  uint32_t reserved;
} lotse_sched_reason;

/* Answers, borrowed until return. Exactly one of the three for each pod asked for. */
typedef struct lotse_sched_answers {
  uint32_t size;
  uint32_t reserved;
  void* ctx;
  void (*assign)(void* ctx, size_t pod, lotse_bytes node);
  /* One or more reasons for every node there is. */
  void (*refuse)(void* ctx, size_t pod, const lotse_sched_reason* reasons, size_t count);
  /* Would fit on node once these pods (uids) are gone; with the reasons as in refuse. */
  void (*preempt)(void* ctx, size_t pod, lotse_bytes node, const lotse_bytes* victims, size_t victim_count,
                  const lotse_sched_reason* reasons, size_t count);
} lotse_sched_answers;

typedef struct lotse_scheduler {
  lotse_instance base;
  /* [worker] A node is there or has changed; or is gone (its pods are removed before). Borrowed until return. */
  void (*node_set)(void* self, const lotse_sched_node* node);
  void (*node_remove)(void* self, lotse_bytes name);
  /* [worker] A pod that takes room on `pod->node` is there or has changed; or is gone. */
  void (*pod_set)(void* self, const lotse_sched_pod* pod);
  void (*pod_remove)(void* self, lotse_bytes uid);
  /* [worker] Answers for each pod in order. A pod that was assigned counts as set on its node for those after it
   * and until pod_set or pod_remove says otherwise. `seed` breaks ties. */
  void (*schedule)(void* self, const lotse_sched_pod* const* pods, size_t count, uint64_t seed,
                   const lotse_sched_answers* answers);
} lotse_scheduler;

#ifdef __cplusplus
}
#endif
#endif
