// A plugin of kind proxy named "x", by hand; each macro breaks one thing.
#include <stdexcept>

#include "lotse/abi/proxy.h"
#include "lotse/plugin.hpp"

#ifndef NAME
#define NAME "x"
#endif
#ifndef MAGIC
#define MAGIC LOTSE_PLUGIN_MAGIC
#endif
#ifndef MAJOR
#define MAJOR LOTSE_ABI_MAJOR
#endif
#ifndef SIZE
#define SIZE sizeof(lotse_plugin)
#endif
#ifndef FACTORY_SIZE
#define FACTORY_SIZE sizeof(lotse_factory)
#endif
#ifndef KEY_SIZE
#define KEY_SIZE sizeof(lotse_key)
#endif
#ifndef KEY_TYPE
#define KEY_TYPE LOTSE_KEY_INTEGER
#endif
#ifndef KEY_FALLBACK
#define KEY_FALLBACK "5"
#endif
#ifndef INSTANCE_SIZE
#define INSTANCE_SIZE sizeof(lotse_proxy)
#endif
#ifdef NOTE_MAJOR
#undef LOTSE_ABI_MAJOR
#define LOTSE_ABI_MAJOR NOTE_MAJOR
#endif
#ifdef NOTE_MINOR
#undef LOTSE_ABI_MINOR
#define LOTSE_ABI_MINOR NOTE_MINOR
#endif

#if defined(GARBAGE_NOTE)
LOTSE_NOTE("name=../../etc\nkind=proxy\n")
#elif !defined(NO_NOTE)
LOTSE_NOTE(LOTSE_NOTE_TEXT_(proxy, "x", "0.1.0", 0, "for tests"))
#endif

namespace {

using lotse::sdk::bytes;
using lotse::sdk::tell;

void answer(void*, lotse_bytes, const lotse_call* call) {
#ifdef CALLS_THROW
  throw std::runtime_error("ouch");
#endif
  call->done(call->ctx, LOTSE_OK, bytes(""));
#ifdef ANSWERS_TWICE
  call->done(call->ctx, LOTSE_OK, bytes("again"));
#endif
}

int32_t reconfigure(void*, lotse_bytes, lotse_error*) {
  throw 42;
}
const void* extension(void*, const char*) {
  throw 42;
}
void destroy(void*) {
#ifdef CALLS_THROW
  throw std::runtime_error("ouch");
#endif
}

const lotse_proxy proxy = {{uint32_t(INSTANCE_SIZE), 0, nullptr, destroy, extension, reconfigure},
                           answer,
                           answer,
#ifdef NULL_SLOT
                           nullptr,
#else
                           answer,
#endif
                           answer};

[[maybe_unused]] const lotse_instance* create(const lotse_host*, lotse_bytes, [[maybe_unused]] lotse_error* error) {
#if defined(CREATE_FAILS)
  tell(error, LOTSE_UNAVAILABLE, "nf_tables is not there");
  return nullptr;
#elif defined(CREATE_SILENT)
  return nullptr;
#elif defined(CREATE_THROWS)
  throw std::runtime_error("ouch");
#endif
  return &proxy.base;
}

const lotse_key keys[] = {
    {uint32_t(KEY_SIZE), KEY_TYPE, 0, 0, "chains", KEY_FALLBACK, nullptr, 1, 9, "How many chains."},
    {sizeof(lotse_key), LOTSE_KEY_STRING, LOTSE_KEY_REQUIRED, 0, "table", nullptr, nullptr, 0, 0, ""}};
[[maybe_unused]] const lotse_factory factory = {uint32_t(FACTORY_SIZE), 2, LOTSE_FACTORY_PROXY, "x", keys, create};

[[maybe_unused]] int32_t init(const lotse_host*, [[maybe_unused]] lotse_error* error) {
#if defined(INIT_FAILS)
  return tell(error, LOTSE_UNSUPPORTED, "this kernel is too old");
#elif defined(INIT_THROWS)
  throw std::runtime_error("ouch");
#endif
  return LOTSE_OK;
}

[[maybe_unused]] const lotse_factory* get_factory(const char*) {
#if defined(NO_FACTORY)
  return nullptr;
#elif defined(GET_FACTORY_THROWS)
  throw std::runtime_error("ouch");
#endif
  return &factory;
}

}  // namespace

#ifndef NO_ENTRY
extern "C" __attribute__((visibility("default")))
const lotse_plugin lotse_plugin_entry = {MAGIC,  uint32_t(SIZE), MAJOR, 0, NAME, "0.1.0", init, nullptr,
#ifdef NO_GET_FACTORY
                                         nullptr
#else
                                          get_factory
#endif
};
#endif
