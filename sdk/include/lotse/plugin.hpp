// SPDX-License-Identifier: Apache-2.0
//
// The door of a plugin in C++: derive one of State, Scheduler, Runtime, Proxy, Transport, declare the keys, and put
// into entry.cc one line:
//
//   LOTSE_PLUGIN(state, "lmdb", "0.1.0", 1, "durable state in one file", lotse::state_lmdb::LmdbState)
//
// The class needs a constructor (const Host&, const Config&), which throws Failure where it cannot, and a
// `static std::vector<lotse_key> keys()`. The macro defines the exported symbol and the ELF note.
#pragma once
#include <chrono>
#include <string>
#include <vector>

#include "lotse/abi/entry.h"
#include "lotse/host.hpp"
#include "lotse/msgpack.hpp"

namespace lotse::sdk {

// A configuration key. Texts must live as long as the program (literals).
//   Key::text("mode", "who runs containerd").choices("managed|external").fallback("managed")
class Key {
 public:
  static Key text(const char* name, const char* doc) { return Key(LOTSE_KEY_STRING, name, doc); }
  static Key integer(const char* name, const char* doc) { return Key(LOTSE_KEY_INTEGER, name, doc); }
  static Key boolean(const char* name, const char* doc) { return Key(LOTSE_KEY_BOOLEAN, name, doc); }
  static Key strings(const char* name, const char* doc) { return Key(LOTSE_KEY_STRINGS, name, doc); }
  static Key duration(const char* name, const char* doc) { return Key(LOTSE_KEY_DURATION, name, doc); }
  static Key bytes(const char* name, const char* doc) { return Key(LOTSE_KEY_SIZE, name, doc); }
  static Key table(const char* name, const char* doc) { return Key(LOTSE_KEY_TABLE, name, doc); }
  Key& required() { return flag(LOTSE_KEY_REQUIRED); }
  Key& reloadable() { return flag(LOTSE_KEY_RELOADABLE); }
  Key& secret() { return flag(LOTSE_KEY_SECRET); }
  // As it would stand in the TOML file, strings without quotes: "10s", "8", "[\"a\"]".
  Key& fallback(const char* value) {
    raw_.fallback = value;
    return *this;
  }
  Key& choices(const char* separated) {
    raw_.choices = separated;
    return *this;
  }
  // Integers; durations in ns; sizes in bytes.
  Key& range(int64_t minimum, int64_t maximum) {
    raw_.minimum = minimum, raw_.maximum = maximum;
    return *this;
  }
  operator lotse_key() const { return raw_; }

 private:
  Key(uint32_t type, const char* name, const char* doc)
      : raw_{sizeof(lotse_key), type, 0, 0, name, nullptr, nullptr, 0, 0, doc} {}
  Key& flag(uint32_t bit) {
    raw_.flags |= bit;
    return *this;
  }
  lotse_key raw_;
};

// The checked values of [plugins.<kind>.<name>]: of declared types, with the defaults filled in.
class Config {
 public:
  explicit Config(Msg map) : map_(std::move(map)) {}
  explicit Config(lotse_bytes raw) : map_(raw.size ? Msg::parse(view(raw)) : Msg::map()) {}
  bool has(std::string_view key) const { return map_.has(key); }
  std::string text(std::string_view key) const { return map_[key].str(); }
  int64_t integer(std::string_view key) const { return map_[key].as_int(); }
  bool boolean(std::string_view key) const { return map_[key].as_bool(); }
  std::vector<std::string> strings(std::string_view key) const { return map_[key].as_strings(); }
  std::chrono::nanoseconds duration(std::string_view key) const { return std::chrono::nanoseconds(integer(key)); }
  int64_t size(std::string_view key) const { return integer(key); }
  const Msg& table(std::string_view key) const { return map_[key]; }
  const Msg& map() const { return map_; }

 private:
  Msg map_;
};

// What all kinds have in common.
class Instance {
 public:
  explicit Instance(const Host& host) : host_(host) {}
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  virtual ~Instance() = default;  // [init] returns when all threads, calls and streams of this instance have ended
  // [any] An extension's struct, or nullptr.
  virtual const void* extension(std::string_view id) {
    (void)id;
    return nullptr;
  }
  // [worker] New values for reloadable keys.
  virtual void reconfigure(const Config& config) {
    (void)config;
    throw Failure(LOTSE_UNSUPPORTED, "this plugin takes no new configuration while it runs");
  }
  virtual const lotse_instance* c_instance() = 0;  // by the kinds
  const Host& host() const { return host_; }

 protected:
  lotse_instance base_of(uint32_t size) {
    return lotse_instance{size, 0, static_cast<void*>(this), destroy_c, extension_c, reconfigure_c};
  }
  // `self` of every C function is the Instance; a kind casts it to itself.
  template <class Kind>
  static Kind* as(void* self) {
    return static_cast<Kind*>(static_cast<Instance*>(self));
  }

 private:
  static void destroy_c(void* self) {
    auto* instance = static_cast<Instance*>(self);
    Host host = instance->host_;
    host.protect([&] { delete instance; }, "destroy");
  }
  static const void* extension_c(void* self, const char* id) {
    auto* instance = static_cast<Instance*>(self);
    const void* found = nullptr;
    instance->host_.protect([&] { found = instance->extension(id); }, "extension");
    return found;
  }
  static int32_t reconfigure_c(void* self, lotse_bytes config, lotse_error* error) {
    return guarded("reconfigure", error, [&] { static_cast<Instance*>(self)->reconfigure(Config(config)); });
  }
  Host host_;
};

// One kind of a plugin: the class and its factory.
template <class Class>
struct Door {
  static const lotse_factory* factory(const char* id, const char* name) {
    static const std::vector<lotse_key> keys = Class::keys();
    static const lotse_factory made{sizeof(lotse_factory), uint32_t(keys.size()), id, name, keys.data(), create};
    return &made;
  }
  static const lotse_instance* create(const lotse_host* host, lotse_bytes config, lotse_error* error) {
    const lotse_instance* made = nullptr;
    guarded("create", error, [&] { made = (new Class(Host(host), Config(config)))->c_instance(); });
    return made;
  }
  static const lotse_factory* get_factory(const char* id, const char* own_id, const char* name) noexcept {
    try {
      return std::string_view(id) == own_id ? factory(own_id, name) : nullptr;
    } catch (...) {
      return nullptr;
    }
  }
};

}  // namespace lotse::sdk

#define LOTSE_NOTE_TEXT_(KIND, NAME, VERSION, THREADS, SUMMARY) \
  "name=" NAME "\nkind=" #KIND "\nversion=" VERSION "\nthreads=" #THREADS "\nsummary=" SUMMARY "\n"

// The ELF note: readable without running any of our code.
#define LOTSE_NOTE(TEXT)                                         \
  namespace {                                                    \
  struct LotseNote {                                             \
    uint32_t owner_size, text_size, type;                        \
    char owner[8];                                               \
    uint32_t abi_major, abi_minor;                               \
    char text[(sizeof(TEXT) + 3) / 4 * 4];                       \
  };                                                             \
  __attribute__((used, section(LOTSE_NOTE_SECTION), aligned(4))) \
  const LotseNote lotse_note = {sizeof(LOTSE_NOTE_OWNER),        \
                                uint32_t(8 + sizeof(TEXT) - 1),  \
                                LOTSE_NOTE_TYPE,                 \
                                LOTSE_NOTE_OWNER,                \
                                LOTSE_ABI_MAJOR,                 \
                                LOTSE_ABI_MINOR,                 \
                                TEXT};                           \
  }

#define LOTSE_PLUGIN(KIND, NAME, VERSION, THREADS, SUMMARY, CLASS)                            \
  LOTSE_NOTE(LOTSE_NOTE_TEXT_(KIND, NAME, VERSION, THREADS, SUMMARY))                         \
  extern "C" __attribute__((visibility("default"))) const lotse_plugin lotse_plugin_entry = { \
      LOTSE_PLUGIN_MAGIC,                                                                     \
      sizeof(lotse_plugin),                                                                   \
      LOTSE_ABI_MAJOR,                                                                        \
      LOTSE_ABI_MINOR,                                                                        \
      NAME,                                                                                   \
      VERSION,                                                                                \
      [](const lotse_host*, lotse_error*) -> int32_t { return LOTSE_OK; },                    \
      [] {},                                                                                  \
      [](const char* id) { return lotse::sdk::Door<CLASS>::get_factory(id, "lotse." #KIND "/1", NAME); }};
