/* SPDX-License-Identifier: Apache-2.0
 *
 * The door of a plugin: the one symbol that it exports.
 *
 *   lotse_plugin_entry  ->  init(host)  ->  get_factory("lotse.state/1")  ->  create(...)  ->  instance
 *
 * A plugin is built with hidden visibility and a version script `{ global: lotse_plugin_entry; local: *; };`.
 * It stays loaded until the process ends; a reload makes a new instance from the loaded library.
 *
 * The facts of the entry stand in an ELF note as well (LOTSE_NOTE_*), so that `lotse plugins` and the
 * version check run no code of the plugin. Note: section ".note.lotse", owner name "Lotse", type 1,
 * description: {uint32 abi_major, uint32 abi_minor} in the machine's order, then text of the form
 * "name=lmdb\nkind=state\nversion=0.1.0\nthreads=1\nrequires=lotse.host.log/1\nsummary=...\n".
 * `kind` may stand more than once, `threads` is how many threads an instance starts of its own.
 */
#ifndef LOTSE_ABI_ENTRY_H
#define LOTSE_ABI_ENTRY_H

#include "host.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LOTSE_PLUGIN_MAGIC UINT64_C(0x316573746f6c2d3a) /* ":-lotse1", read as a little-endian number */
#define LOTSE_PLUGIN_ENTRY_SYMBOL "lotse_plugin_entry"
#define LOTSE_NOTE_SECTION ".note.lotse"
#define LOTSE_NOTE_OWNER "Lotse"
#define LOTSE_NOTE_TYPE 1

#define LOTSE_FACTORY_TRANSPORT "lotse.transport/1"
#define LOTSE_FACTORY_STATE "lotse.state/1"
#define LOTSE_FACTORY_SCHEDULER "lotse.scheduler/1"
#define LOTSE_FACTORY_RUNTIME "lotse.runtime/1"
#define LOTSE_FACTORY_PROXY "lotse.proxy/1"

/* A configuration key that the plugin understands. The host parses and checks the table
 * [plugins.<kind>.<name>] against these before it creates anything. */
enum lotse_key_type {
  LOTSE_KEY_STRING = 1,
  LOTSE_KEY_INTEGER = 2,  /* int64, within [minimum, maximum] */
  LOTSE_KEY_BOOLEAN = 3,
  LOTSE_KEY_STRINGS = 4,  /* an array of strings */
  LOTSE_KEY_DURATION = 5, /* text such as "1h30m" or "250ms"; passed on as int64 nanoseconds */
  LOTSE_KEY_SIZE = 6,     /* text such as "64MiB" or an integer; passed on as int64 bytes */
  LOTSE_KEY_TABLE = 7     /* free form: nested tables are passed on as they stand */
};
enum lotse_key_flags {
  LOTSE_KEY_REQUIRED = 1 << 0,
  LOTSE_KEY_RELOADABLE = 1 << 1, /* `lotse reload` hands the new value to reconfigure() */
  LOTSE_KEY_SECRET = 1 << 2      /* never printed or logged */
};
typedef struct lotse_key {
  uint32_t size;
  uint32_t type;           /* enum lotse_key_type */
  uint32_t flags;          /* enum lotse_key_flags */
  uint32_t reserved;
  const char* name;
  const char* fallback;    /* as it would stand in the TOML file, strings without quotes; NULL: none */
  const char* choices;     /* "managed|external"; NULL: whatever the type allows */
  int64_t minimum;         /* integers, durations (ns) and sizes (bytes); both 0: no range */
  int64_t maximum;
  const char* doc;         /* a sentence for the commented sample and the man page */
} lotse_key;

/* What every instance begins with. A kind's header defines the struct whose first member this is. */
typedef struct lotse_instance {
  uint32_t size; /* of the kind's whole struct */
  uint32_t reserved;
  void* self;
  /* [init] Ends the instance: returns when all its threads, calls and streams have ended. */
  void (*destroy)(void* self);
  /* [any] An extension's struct by id, or NULL. It lives as long as the instance. */
  const void* (*extension)(void* self, const char* id);
  /* [worker] New values for keys declared LOTSE_KEY_RELOADABLE; MessagePack map as in create. */
  int32_t (*reconfigure)(void* self, lotse_bytes config, lotse_error* error);
} lotse_instance;

/* What get_factory returns. Lives as long as the process. */
typedef struct lotse_factory {
  uint32_t size;
  uint32_t key_count;
  const char* id;   /* LOTSE_FACTORY_... */
  const char* name; /* "lmdb": what the TOML file calls it */
  const lotse_key* keys;
  /* [init] Makes an instance: the kind's struct, whose first member is a lotse_instance. `config` is a
   * MessagePack map with a value for every key that has one. NULL with *error set when it cannot;
   * nothing is then left behind. */
  const lotse_instance* (*create)(const lotse_host* host, lotse_bytes config, lotse_error* error);
} lotse_factory;

typedef struct lotse_plugin {
  uint64_t magic; /* LOTSE_PLUGIN_MAGIC: comes before size, as it tells whether size can be believed */
  uint32_t size;
  uint16_t abi_major;
  uint16_t abi_minor;
  const char* name;
  const char* version;
  /* [init] Once after loading. LOTSE_OK, or a code and *error: the plugin is then not used. */
  int32_t (*init)(const lotse_host* host, lotse_error* error);
  /* [init] Once, after the last instance was destroyed. */
  void (*deinit)(void);
  /* [any] NULL: not that kind. */
  const lotse_factory* (*get_factory)(const char* id);
} lotse_plugin;

/* The symbol itself: extern const lotse_plugin lotse_plugin_entry; */

#ifdef __cplusplus
}
#endif
#endif
