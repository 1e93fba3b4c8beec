/* SPDX-License-Identifier: Apache-2.0
 *
 * Container runtime, "lotse.runtime/1": sandboxes, containers and images, modelled on CRI.
 *
 * Every function takes one MessagePack map and answers with one, so that the same table can be called directly or
 * through a process boundary. The keys are listed at each function; those in [brackets] may be missing. Unknown
 * keys are ignored. Binary strings and text are both accepted where text is asked for.
 *
 * - Every call is idempotent: done ten times it has the effect of done once. Creating what exists with the same
 *   metadata answers with the id it has; stopping what has stopped and removing what is not there is LOTSE_OK.
 * - After a restart of the plugin, the host or the runtime everything is found again, by the labels that the
 *   plugin keeps with each thing.
 * - A sandbox's network is `own` (the plugin runs CNI with the conflist it is given) or `given` (it answers with the
 *   network namespace and the host runs CNI on it); info says which.
 * - All functions are [worker] unless tagged; all complete by call->done, possibly later and from another thread.
 *
 * Shapes used below
 *   resources: {[cpu_shares] int, [cpu_quota_us] int, [cpu_period_us] int, [memory_bytes] int, [swap_bytes] int,
 *               [cpuset_cpus] str, [pids] int, [oom_score_adj] int, [hugepages] {"2MB"|...: bytes},
 *               [unified] {file: text} (files of the container's cgroup on v2; no meaning elsewhere)}
 *   security:  {[privileged] bool, [user] str ("uid", "uid:gid" or a name), [groups] [int], [fs_group] int,
 *               [add_capabilities] [str], [drop_capabilities] [str], [read_only_root] bool,
 *               [no_new_privileges] bool, [seccomp] "RuntimeDefault"|"Unconfined"|"Localhost:PATH",
 *               [apparmor] likewise, [selinux] {user, role, type, level}, [masked_paths] [str], [readonly_paths] [str],
 *               [proc_mount] "Default"|"Unmasked"}
 *   mount:     {source str, target str, [read_only] bool, [propagation] "None"|"HostToContainer"|"Bidirectional",
 *               [recursive_read_only] bool, [image] bool (source is an image reference)}
 *   device:    {source str, target str, permissions "rwm"}
 *   times are int64 unix_ns, 0: not yet.
 */
#ifndef LOTSE_ABI_RUNTIME_H
#define LOTSE_ABI_RUNTIME_H

#include "entry.h"
#include "stream.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Every short function. `request` is borrowed until the function returns. */
typedef void (*lotse_message_fn)(void* self, lotse_bytes request, const lotse_call* call);
/* Every long one. LOTSE_OK: *stream is filled in and the stream lives. */
typedef int32_t (*lotse_message_stream_fn)(void* self, lotse_bytes request, const lotse_stream_sink* sink,
                                           lotse_stream* stream, lotse_error* error);

typedef struct lotse_runtime {
  lotse_instance base;

  /* {} -> {name, version, network "own"|"given"|"none", ready bool, [message] str, [cgroup_driver] "cgroupfs"|"systemd",
   * [root] str: where images and containers lie, [features] [str]} */
  lotse_message_fn info;

  /* {uid, namespace, name, attempt int, [hostname], [dns] {servers, searches, options: [str]}, [labels] map, [annotations] map,
   *  log_dir, cgroup_parent, host_network bool, host_pid bool, host_ipc bool, share_pid bool, [host_users] bool,
   *  [ports] [{container int, host int, protocol "TCP"|"UDP"|"SCTP", [ip]}], [sysctls] map, [security], [resources],
   *  image: the pause image, [runtime_handler], [cni] str: the conflist's directory, [cni_args] map} -> {id, [netns] path, [ips] [str]} */
  lotse_message_fn sandbox_run;
  /* {id, [cni] str} -> {}: all its containers are killed and its network given back */
  lotse_message_fn sandbox_stop;
  /* {id} -> {} */
  lotse_message_fn sandbox_remove;
  /* {id} -> {id, uid, namespace, name, attempt, state "ready"|"notready", created, ips [str], [netns], [pid] int, labels, annotations} */
  lotse_message_fn sandbox_status;
  /* {[uid]} -> {items: [as sandbox_status]} */
  lotse_message_fn sandbox_list;

  /* {sandbox, name, attempt int, image (an id or name as image_status gives it), [command] [str], [args] [str],
   *  [env] [[k, v]], [working_dir], [mounts], [devices], [labels], [annotations], log_path (relative to the sandbox's
   *  log_dir), stdin bool, stdin_once bool, tty bool, [resources], [security], cgroup_parent, [stop_signal]} -> {id} */
  lotse_message_fn container_create;
  /* {id} -> {} */
  lotse_message_fn container_start;
  /* {id, timeout_ns int} -> {}: the image's stop signal, SIGKILL after the timeout (0: at once); done once it has exited */
  lotse_message_fn container_stop;
  /* {id} -> {}; a running one is killed */
  lotse_message_fn container_remove;
  /* {id} -> {id, sandbox, name, attempt, state "created"|"running"|"exited"|"unknown", created, started, finished,
   *  exit_code int, [reason] "OOMKilled"|"Completed"|"Error"|..., [message], image (as asked for), image_id, [pid] int, log_path, labels,
   *  annotations, [resources], [user] {uid, gid, groups}} */
  lotse_message_fn container_status;
  /* {[sandbox]} -> {items: [as container_status]} */
  lotse_message_fn container_list;
  /* {id, resources} -> {} while it runs */
  lotse_message_fn container_update;
  /* {[id], [sandbox]} -> {items: [{id, sandbox, time, cpu_ns, memory_bytes (working set), [memory_usage_bytes], [rss_bytes],
   *  [disk_bytes], [inodes], [pids]}]} */
  lotse_message_fn container_stats;
  /* {id} -> {}: opens log_path anew after the host has moved the file away */
  lotse_message_fn container_reopen_log;
  /* {id, command [str], timeout_ns} -> {exit_code int, stdout bin, stderr bin}; at most 16 KiB each, the rest is dropped.
   * LOTSE_DEADLINE after the timeout, and the process is killed. */
  lotse_message_fn exec_sync;

  /* {id, command [str], stdin bool, stdout bool, stderr bool, tty bool} -> channels of lotse_channel; ends with
   * {"exit_code": int}. half_close(LOTSE_STDIN) is the process's end of file. */
  lotse_message_stream_fn exec;
  /* {id, stdin bool, stdout bool, stderr bool, tty bool} -> the same channels, to the container's own process */
  lotse_message_stream_fn attach;
  /* {sandbox, port int} -> LOTSE_STDIN both ways; LOTSE_ERROR carries a sentence */
  lotse_message_stream_fn port_forward;
  /* {} -> items are MessagePack {kind "sandbox"|"container", id, sandbox, event "created"|"started"|"exited"|"removed"|"oom", time}. An
   * item {kind "resync"} says that some were lost: list again. Never polls. Ends with LOTSE_UNAVAILABLE when the runtime is gone. */
  lotse_message_stream_fn events;

  /* {image, [auth] {[username], [password], [identity_token], [registry_token], [server]}, [pod] {namespace, name},
   *  [from] {[server] str, [ca] str, [insecure] bool}} -> items {done int, total int} in bytes; ends with {"id": str}.
   * `from` says how the registry is reached: `server` (host[:port][/path]) is asked for the same repository instead of the
   * registry in the image's name, and the image still gets that name; its certificate is checked with `ca` (PEM); `insecure`
   * allows plain HTTP, or a certificate that nobody checks. `auth` is for the registry that is asked. */
  lotse_message_stream_fn image_pull;
  /* {path} -> {images: [str]}: an OCI layout or docker archive in a tar file */
  lotse_message_fn image_import;
  /* {image} -> {id, names [str], digests [str], bytes, [user], [stop_signal], pinned bool, [volumes] [str]}; LOTSE_NOT_FOUND */
  lotse_message_fn image_status;
  /* {} -> {items: [as image_status]} */
  lotse_message_fn image_list;
  /* {image} -> {} */
  lotse_message_fn image_remove;
  /* {} -> {path, used_bytes, [inodes_used]} */
  lotse_message_fn image_fs;
} lotse_runtime;

#ifdef __cplusplus
}
#endif
#endif
