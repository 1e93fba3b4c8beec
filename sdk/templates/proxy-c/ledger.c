/* The proxy "ledger", in plain C: it touches no kernel, but keeps a file with a line for each Service port, which a load
 * balancer of one's own could read:
 *
 *   default/web:http TCP 10.96.0.17:80 10.244.0.5:8080 10.244.1.7:8080
 *
 * The host calls one function at a time, so there is no lock. The file is written aside and renamed: a reader sees the old
 * table or the new one, never half of one.
 */
#include <lotse/abi/proxy.h>
#include <msgpack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct line {
  char *id;
  char *text;
} line;

typedef struct ledger {
  lotse_proxy proxy; /* first: the host's pointer to it is ours to the whole */
  line *lines;       /* sorted by id */
  size_t count, room;
  char path[4096];
} ledger;

/* ---- what was asked ---- */

static const msgpack_object *member(const msgpack_object *map, const char *key) {
  if (map == NULL || map->type != MSGPACK_OBJECT_MAP) return NULL;
  for (uint32_t i = 0; i < map->via.map.size; i++) {
    const msgpack_object *k = &map->via.map.ptr[i].key;
    if (k->type == MSGPACK_OBJECT_STR && k->via.str.size == strlen(key) && memcmp(k->via.str.ptr, key, k->via.str.size) == 0) {
      return &map->via.map.ptr[i].val;
    }
  }
  return NULL;
}

static size_t items(const msgpack_object *array) {
  return array != NULL && array->type == MSGPACK_OBJECT_ARRAY ? array->via.array.size : 0;
}

static int is_text(const msgpack_object *value) {
  return value != NULL && value->type == MSGPACK_OBJECT_STR;
}

/* ---- the lines ---- */

static void drop_all(ledger *all) {
  for (size_t i = 0; i < all->count; i++) free(all->lines[i].id), free(all->lines[i].text);
  all->count = 0;
}

/* Where the line of this id is, or should be. */
static size_t place(const ledger *all, const char *id) {
  size_t low = 0, high = all->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (strcmp(all->lines[middle].id, id) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

static void drop(ledger *all, const char *id) {
  size_t at = place(all, id);
  if (at == all->count || strcmp(all->lines[at].id, id) != 0) return;
  free(all->lines[at].id), free(all->lines[at].text);
  memmove(all->lines + at, all->lines + at + 1, (all->count - at - 1) * sizeof(line));
  all->count--;
}

/* Takes over both; 0 if there is no memory. */
static int keep(ledger *all, char *id, char *text) {
  drop(all, id);
  if (all->count == all->room) {
    size_t room = all->room == 0 ? 64 : 2 * all->room;
    line *more = realloc(all->lines, room * sizeof(line));
    if (more == NULL) return free(id), free(text), 0;
    all->lines = more, all->room = room;
  }
  size_t at = place(all, id);
  memmove(all->lines + at + 1, all->lines + at, (all->count - at) * sizeof(line));
  all->lines[at] = (line){id, text};
  all->count++;
  return 1;
}

static void print_address(FILE *out, const msgpack_object *ip, const msgpack_object *port) {
  if (!is_text(ip) || port == NULL || port->type != MSGPACK_OBJECT_POSITIVE_INTEGER) return;
  int six = memchr(ip->via.str.ptr, ':', ip->via.str.size) != NULL;
  fprintf(out, six ? " [%.*s]:%u" : " %.*s:%u", (int)ip->via.str.size, ip->via.str.ptr, (unsigned)port->via.u64);
}

/* A sentence about what is wrong with the service, or NULL. */
static const char *take(ledger *all, const msgpack_object *service) {
  const msgpack_object *id = member(service, "id"), *protocol = member(service, "protocol");
  const msgpack_object *ips = member(service, "cluster_ips"), *endpoints = member(service, "endpoints");
  if (!is_text(id) || id->via.str.size == 0) return "a service has no id";
  if (!is_text(protocol)) return "a service has no protocol";
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  char *name = strndup(id->via.str.ptr, id->via.str.size);
  if (out == NULL || name == NULL) return free(name), "there is no memory left";
  fprintf(out, "%s %.*s", name, (int)protocol->via.str.size, protocol->via.str.ptr);
  for (size_t i = 0; i < items(ips); i++) print_address(out, &ips->via.array.ptr[i], member(service, "port"));
  for (size_t i = 0; i < items(endpoints); i++) {
    const msgpack_object *endpoint = &endpoints->via.array.ptr[i], *ready = member(endpoint, "ready");
    if (ready != NULL && ready->type == MSGPACK_OBJECT_BOOLEAN && !ready->via.boolean) continue;
    print_address(out, member(endpoint, "ip"), member(endpoint, "port"));
  }
  if (fclose(out) != 0) return free(name), free(text), "there is no memory left";
  return keep(all, name, text) ? NULL : "there is no memory left";
}

static const char *write_file(const ledger *all) {
  char aside[sizeof all->path + 4];
  snprintf(aside, sizeof aside, "%s.new", all->path);
  FILE *file = fopen(aside, "w");
  if (file == NULL) return "the ledger cannot be written";
  for (size_t i = 0; i < all->count; i++) fprintf(file, "%s\n", all->lines[i].text);
  if (fclose(file) != 0 || rename(aside, all->path) != 0) return "the ledger cannot be written";
  return NULL;
}

/* ---- the contract's functions ---- */

static void answer(const lotse_call *call, const char *wrong) {
  static const unsigned char empty_map = 0x80;
  lotse_bytes fine = {&empty_map, 1};
  if (wrong == NULL) call->done(call->ctx, LOTSE_OK, fine);
  else call->done(call->ctx, LOTSE_INVALID, (lotse_bytes){wrong, strlen(wrong)});
}

static void info(void *self, lotse_bytes request, const lotse_call *call) {
  (void)self, (void)request;
  static const char map[] = "\x82\xa4mode\xa6ledger\xa8" "families\x90"; /* {mode: "ledger", families: []}: it sends no traffic */
  call->done(call->ctx, LOTSE_OK, (lotse_bytes){map, sizeof map - 1});
}

/* Hands the request, taken apart, to work; its sentence, if any, is the answer. */
static void with(void *self, lotse_bytes request, const lotse_call *call, const char *(*work)(ledger *, const msgpack_object *)) {
  msgpack_unpacked parsed;
  msgpack_unpacked_init(&parsed);
  if (msgpack_unpack_next(&parsed, request.data, request.size, NULL) != MSGPACK_UNPACK_SUCCESS) {
    answer(call, "the request is not MessagePack");
  } else {
    answer(call, work(self, &parsed.data));
  }
  msgpack_unpacked_destroy(&parsed);
}

static const char *take_table(ledger *all, const msgpack_object *table) {
  const msgpack_object *services = member(table, "services");
  drop_all(all);
  for (size_t i = 0; i < items(services); i++) {
    const char *wrong = take(all, &services->via.array.ptr[i]);
    if (wrong != NULL) return wrong;
  }
  return write_file(all);
}

static const char *take_changes(ledger *all, const msgpack_object *changes) {
  const msgpack_object *set = member(changes, "set"), *removed = member(changes, "removed");
  for (size_t i = 0; i < items(removed); i++) {
    const msgpack_object *id = &removed->via.array.ptr[i];
    char *name = is_text(id) ? strndup(id->via.str.ptr, id->via.str.size) : NULL;
    if (name != NULL) drop(all, name);
    free(name);
  }
  for (size_t i = 0; i < items(set); i++) {
    const char *wrong = take(all, &set->via.array.ptr[i]);
    if (wrong != NULL) return wrong;
  }
  return write_file(all);
}

static void resync(void *self, lotse_bytes table, const lotse_call *call) { with(self, table, call, take_table); }
static void apply(void *self, lotse_bytes changes, const lotse_call *call) { with(self, changes, call, take_changes); }

static void remove_all(void *self, lotse_bytes request, const lotse_call *call) {
  (void)request;
  ledger *all = self;
  drop_all(all);
  remove(all->path);
  answer(call, NULL);
}

/* ---- the instance ---- */

static void destroy(void *self) {
  ledger *all = self;
  drop_all(all);
  free(all->lines);
  free(all);
}

static const void *extension(void *self, const char *id) { return (void)self, (void)id, NULL; }

static int32_t refuse(lotse_error *error, int32_t code, const char *sentence) {
  error->code = code;
  snprintf(error->message, sizeof error->message, "%s", sentence);
  return code;
}

static int32_t reconfigure(void *self, lotse_bytes config, lotse_error *error) {
  (void)self, (void)config;
  return refuse(error, LOTSE_UNSUPPORTED, "the ledger takes no new configuration while it runs");
}

static const lotse_instance *create(const lotse_host *host, lotse_bytes config, lotse_error *error) {
  (void)config;
  const lotse_host_paths *paths = host->service(host->self, LOTSE_HOST_PATHS);
  ledger *all = paths == NULL ? NULL : calloc(1, sizeof *all);
  if (all == NULL) {
    refuse(error, LOTSE_UNSUPPORTED, paths == NULL ? "the host has no " LOTSE_HOST_PATHS : "there is no memory left");
    return NULL;
  }
  if (snprintf(all->path, sizeof all->path, "%s/ledger", paths->data_dir) >= (int)sizeof all->path) {
    free(all);
    refuse(error, LOTSE_INVALID, "the data directory's name is too long");
    return NULL;
  }
  all->proxy.base = (lotse_instance){sizeof all->proxy, 0, all, destroy, extension, reconfigure};
  all->proxy.info = info, all->proxy.resync = resync, all->proxy.apply = apply, all->proxy.remove_all = remove_all;
  return &all->proxy.base;
}

/* ---- the door: the one symbol, and the same facts for those who run no code of ours ---- */

static const lotse_factory factory = {sizeof factory, 0, LOTSE_FACTORY_PROXY, "ledger", NULL, create};

static const lotse_factory *get_factory(const char *id) { return strcmp(id, LOTSE_FACTORY_PROXY) == 0 ? &factory : NULL; }
static int32_t init(const lotse_host *host, lotse_error *error) { return (void)host, (void)error, LOTSE_OK; }
static void deinit(void) {}

#define FACTS "name=ledger\nkind=proxy\nversion=1.0.0\nthreads=0\nsummary=writes down which endpoint serves what\n"
__attribute__((used, section(LOTSE_NOTE_SECTION), aligned(4))) static const struct {
  uint32_t owner_size, text_size, type;
  char owner[8];
  uint32_t abi_major, abi_minor;
  char text[(sizeof FACTS + 3) / 4 * 4];
} note = {sizeof LOTSE_NOTE_OWNER, 8 + sizeof FACTS - 1, LOTSE_NOTE_TYPE, LOTSE_NOTE_OWNER, LOTSE_ABI_MAJOR, LOTSE_ABI_MINOR, FACTS};

extern const lotse_plugin lotse_plugin_entry;
__attribute__((visibility("default"))) const lotse_plugin lotse_plugin_entry = {
    LOTSE_PLUGIN_MAGIC, sizeof lotse_plugin_entry, LOTSE_ABI_MAJOR, LOTSE_ABI_MINOR, "ledger", "1.0.0", init, deinit, get_factory};
