#include "core/plugin/library.h"

#include <fmt/format.h>

#include <boost/dll/shared_library.hpp>

#include "core/plugin/shield.h"
#include "lotse/abi/proxy.h"
#include "lotse/abi/runtime.h"
#include "lotse/abi/scheduler.h"
#include "lotse/abi/state.h"
#include "lotse/abi/transport.h"

namespace lotse::plugin {
namespace {

Status refuse(const Found& found, std::string_view why) {
  return Status(Reason::kInvalid, fmt::format("{}: {}", found.path, why));
}

// What dlopen said, without the words of Boost around it and without the path, which we name ourselves.
std::string reason_of(const std::exception& error, const std::string& path) {
  std::string_view text = error.what();
  constexpr std::string_view kMark = "dlerror system message: ";
  if (size_t at = text.find(kMark); at != std::string_view::npos) text.remove_prefix(at + kMark.size());
  if (text.substr(0, path.size() + 2) == path + ": ") text.remove_prefix(path.size() + 2);
  // "...): Bad file descriptor": the error code that Boost appends says nothing.
  if (size_t end = text.rfind("): "); end != std::string_view::npos) text = text.substr(0, end);
  return std::string(text);
}

std::string entry_problem(const lotse_plugin* entry) {
  if (entry->magic != LOTSE_PLUGIN_MAGIC)
    return fmt::format("its entry has the wrong magic number {:#018x}", entry->magic);
  size_t least = offsetof(lotse_plugin, get_factory) + sizeof entry->get_factory;
  // The version lies before what may be missing in another major.
  if (entry->size < offsetof(lotse_plugin, name))
    return fmt::format("its entry has {} bytes, which is too few", entry->size);
  if (std::string why = version_problem(entry->abi_major, entry->abi_minor); !why.empty()) return why;
  if (entry->size < least) {
    return fmt::format("its entry has {} bytes, but ABI {}.{} asks for at least {}", entry->size, entry->abi_major,
                       entry->abi_minor, least);
  }
  if (entry->name == nullptr || entry->version == nullptr) return "its entry has no name or version";
  if (entry->get_factory == nullptr) return "its entry lacks the function get_factory";
  return "";
}

struct Slot {
  const char* name;
  size_t offset;
};
#define LOTSE_SLOT(type, member)    \
  Slot {                            \
    #member, offsetof(type, member) \
  }

// What a kind cannot do without. All else may be NULL: not offered.
const std::vector<Slot>& needed_slots(const std::string& kind) {
  static const std::map<std::string, std::vector<Slot>> slots = {
      {"state",
       {LOTSE_SLOT(lotse_state, commit), LOTSE_SLOT(lotse_state, range), LOTSE_SLOT(lotse_state, info),
        LOTSE_SLOT(lotse_state, compact)}},
      {"scheduler",
       {LOTSE_SLOT(lotse_scheduler, node_set), LOTSE_SLOT(lotse_scheduler, node_remove),
        LOTSE_SLOT(lotse_scheduler, pod_set), LOTSE_SLOT(lotse_scheduler, pod_remove),
        LOTSE_SLOT(lotse_scheduler, schedule)}},
      {"runtime",
       {LOTSE_SLOT(lotse_runtime, info), LOTSE_SLOT(lotse_runtime, sandbox_run),
        LOTSE_SLOT(lotse_runtime, sandbox_stop), LOTSE_SLOT(lotse_runtime, sandbox_remove),
        LOTSE_SLOT(lotse_runtime, sandbox_status), LOTSE_SLOT(lotse_runtime, sandbox_list),
        LOTSE_SLOT(lotse_runtime, container_create), LOTSE_SLOT(lotse_runtime, container_start),
        LOTSE_SLOT(lotse_runtime, container_stop), LOTSE_SLOT(lotse_runtime, container_remove),
        LOTSE_SLOT(lotse_runtime, container_status), LOTSE_SLOT(lotse_runtime, container_list)}},
      {"proxy",
       {LOTSE_SLOT(lotse_proxy, info), LOTSE_SLOT(lotse_proxy, resync), LOTSE_SLOT(lotse_proxy, apply),
        LOTSE_SLOT(lotse_proxy, remove_all)}},
      {"transport",
       {LOTSE_SLOT(lotse_transport, start), LOTSE_SLOT(lotse_transport, drain),
        LOTSE_SLOT(lotse_transport, addresses)}}};
  return slots.at(kind);
}

}  // namespace

Result<const lotse_plugin*> load_library(const Found& found) {
  if (!found.problem.empty()) return Status(Reason::kInvalid, found.problem);
  const lotse_plugin* entry = nullptr;
  try {
    namespace dll = boost::dll;
    static auto* loaded = new std::vector<std::unique_ptr<dll::shared_library>>();  // never unloaded, not at exit either
    loaded->push_back(std::make_unique<dll::shared_library>(found.path, dll::load_mode::rtld_now | dll::load_mode::rtld_local));
    const dll::shared_library* library = loaded->back().get();
    if (!library->has(LOTSE_PLUGIN_ENTRY_SYMBOL)) {
      return refuse(found, "it does not export the symbol " LOTSE_PLUGIN_ENTRY_SYMBOL);
    }
    entry = &library->get<const lotse_plugin>(LOTSE_PLUGIN_ENTRY_SYMBOL);
  } catch (const std::exception& error) {
    return refuse(found, fmt::format("it cannot be loaded: {}", reason_of(error, found.path)));
  }
  if (std::string why = entry_problem(entry); !why.empty()) return refuse(found, why);
  if (entry->name != found.note.name || entry->version != found.note.version ||
      entry->abi_major != found.note.abi_major || entry->abi_minor != found.note.abi_minor) {
    return refuse(found, fmt::format("its entry ({} {}, ABI {}.{}) and its ELF note ({} {}, ABI {}.{}) differ",
                                     entry->name, entry->version, entry->abi_major, entry->abi_minor, found.note.name,
                                     found.note.version, found.note.abi_major, found.note.abi_minor));
  }
  return entry;
}

Result<const lotse_factory*> find_factory(const Found& found, const lotse_plugin* entry, const std::string& kind) {
  const lotse_factory* factory = nullptr;
  std::string id = fmt::format("lotse.{}/1", kind);
  std::string thrown = shielded("get_factory", [&] { factory = entry->get_factory(id.c_str()); });
  if (!thrown.empty()) return refuse(found, thrown);
  if (factory == nullptr) return refuse(found, fmt::format("it offers no {}, though its ELF note says so", kind));
  size_t least = offsetof(lotse_factory, create) + sizeof factory->create;
  if (factory->size < least) {
    return refuse(found, fmt::format("its factory for {} has {} bytes, but ABI 1.0 asks for at least {}", kind,
                                     factory->size, least));
  }
  if (factory->create == nullptr)
    return refuse(found, fmt::format("its factory for {} lacks the function create", kind));
  if (factory->name == nullptr || found.note.name != factory->name) {
    return refuse(found, fmt::format("its factory for {} has another name than its ELF note", kind));
  }
  if (factory->key_count > 1000 || (factory->key_count > 0 && factory->keys == nullptr)) {
    return refuse(found, fmt::format("its factory for {} declares {} keys but gives none", kind, factory->key_count));
  }
  return factory;
}

std::string instance_problem(const std::string& kind, const lotse_instance* instance) {
  if (instance->size < sizeof(lotse_instance))
    return fmt::format("its {} has {} bytes, which is too few", kind, instance->size);
  if (instance->destroy == nullptr) return fmt::format("its {} lacks the function destroy", kind);
  for (const Slot& slot : needed_slots(kind)) {
    if (slot.offset + sizeof(void*) > instance->size) {
      return fmt::format("its {} has {} bytes, which end before the function {}", kind, instance->size, slot.name);
    }
    void* function = nullptr;
    std::memcpy(&function, reinterpret_cast<const char*>(instance) + slot.offset, sizeof function);
    if (function == nullptr) return fmt::format("its {} lacks the function {}", kind, slot.name);
  }
  return "";
}

}  // namespace lotse::plugin
