/* SPDX-License-Identifier: Apache-2.0
 *
 * "lotse.state.backup/1": an extension of lotse_state: the whole store as a file, and back.
 *
 * The file's form is the same for all backends (sdk/README.md, "Backup files"), so that a cluster can move
 * between them: "LOTSEBAK" 0x01, then MessagePack maps: a head {"revision", "identity", "time"}, an array
 * [key, value, revision] an entry in key order (with a fourth element, the point in time in unix ns, where the key
 * expires), and a foot {"entries", "sha256"} over all before it.
 */
#ifndef LOTSE_ABI_STATE_BACKUP_H
#define LOTSE_ABI_STATE_BACKUP_H

#include "state.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LOTSE_STATE_BACKUP "lotse.state.backup/1"

typedef struct lotse_state_backup {
  uint32_t size;
  uint32_t reserved;
  /* [worker] Writes all current entries as of one revision to fd, while commits go on. */
  int32_t (*write)(void* self, int32_t fd, lotse_error* error);
  /* [worker] Replaces everything by what fd holds, wholly or, if the file is damaged, not at all. The store's
   * revision afterwards is at least `floor` and at least the file's; all of it counts as compacted and every
   * watch ends with LOTSE_COMPACTED. The identity is a new one. */
  int32_t (*read)(void* self, int32_t fd, uint64_t floor, lotse_error* error);
} lotse_state_backup;

#ifdef __cplusplus
}
#endif
#endif
