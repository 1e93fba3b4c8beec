/* SPDX-License-Identifier: Apache-2.0
 *
 * Proxy mode, "lotse.proxy/1": makes the kernel send what goes to a Service to one of its endpoints.
 *
 * The plugin is given the table and its changes, and makes the kernel match: incrementally on apply, wholly on
 * resync (also when somebody else has changed the kernel's tables meanwhile). It is level-triggered: when a call has
 * failed, the next one carries on from what was last asked for. Functions are [worker], one at a time, and have the
 * signature of runtime.h's; the maps are MessagePack.
 *
 * Shapes
 *   table: {node_name, node_addresses [str], pod_cidrs [str], cluster_cidrs [str], [node_port_addresses] [cidr], [peer_addresses] [str],
 *     services [service]}; peer_addresses are those of the cluster's other nodes, which answer there themselves
 *   service: one per Service port:
 *     {id "ns/name:port", protocol "TCP"|"UDP"|"SCTP", cluster_ips [str], port int, [node_port] int,
 *      [external_ips] [str], [load_balancer_ips] [str], [source_ranges] [cidr],
 *      [affinity_s] int (ClientIP affinity's timeout, 0: none), internal_local bool, external_local bool,
 *      [health_check_port] int,
 *      endpoints [{ip str, port int, local bool, ready bool, serving bool, terminating bool, [zones] [str]}]}
 *   Which endpoints count is the plugin's to apply: ready ones; if none is ready, those serving and terminating. With a
 *   local policy only local ones, where the traffic came in that way; none: dropped (external) or refused.
 */
#ifndef LOTSE_ABI_PROXY_H
#define LOTSE_ABI_PROXY_H

#include "entry.h"
#include "runtime.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lotse_proxy {
  lotse_instance base;
  /* {} -> {mode "iptables", families ["IPv4", "IPv6"], [features] [str]}; families: whose traffic it sends, none if it sends none;
   * LOTSE_UNSUPPORTED where the kernel lacks what the mode needs. Of the features two are limits: "affinity_with_connections"
   * (a client stays with its endpoint for as long as the kernel remembers a connection of it, whatever the timeout),
   * "through_input" (what goes to a Service passes the machine's INPUT chains, and a firewall there must let it in) */
  lotse_message_fn info;
  /* table -> {[problems] [{id, reason, message}]}: make the kernel match exactly this */
  lotse_message_fn resync;
  /* {[set] [service], [removed] [id]} -> {[problems]}: change only what these touch */
  lotse_message_fn apply;
  /* {} -> {}: take everything of ours out of the kernel, as if never there */
  lotse_message_fn remove_all;
} lotse_proxy;

#ifdef __cplusplus
}
#endif
#endif
