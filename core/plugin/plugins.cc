#include "core/plugin/plugins.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "core/base/log.h"
#include "core/plugin/code.h"
#include "core/plugin/isolation.h"
#include "core/plugin/library.h"
#include "core/plugin/shield.h"

namespace lotse::plugin {
namespace {
constexpr const char* kAuto = "auto";
constexpr const char* kProxyChoices[] = {"nftables", "iptables"};  // the best first

Result<config::Section> section_of(const Found& found, const lotse_factory& factory, const std::string& kind) {
  config::Section section;
  section.name = fmt::format("plugins.{}.{}", kind, found.note.name);
  section.doc = found.note.summary;
  auto refuse = [&](std::string_view why) { return Status(Reason::kInvalid, fmt::format("{}: {}", found.path, why)); };
  const char* at = reinterpret_cast<const char*>(factory.keys);
  // An array of a plugin that knows a larger or smaller lotse_key: each step is as wide as the plugin says.
  for (uint32_t i = 0; i < factory.key_count; i++) {
    const auto* raw = reinterpret_cast<const lotse_key*>(at);
    if (raw->size < offsetof(lotse_key, doc) + sizeof raw->doc || raw->name == nullptr) {
      return refuse(fmt::format("key {} of its factory for {} is truncated or has no name", i, kind));
    }
    config::Key key;
    key.name = raw->name;
    key.type = config::KeyType(raw->type);
    if (raw->doc) key.doc = raw->doc;
    if (raw->fallback) key.fallback = raw->fallback;
    key.required = raw->flags & LOTSE_KEY_REQUIRED;
    key.reloadable = raw->flags & LOTSE_KEY_RELOADABLE;
    key.secret = raw->flags & LOTSE_KEY_SECRET;
    key.minimum = raw->minimum;
    key.maximum = raw->maximum;
    std::string_view choices = raw->choices ? raw->choices : "";
    while (!choices.empty()) {
      size_t end = std::min(choices.find('|'), choices.size());
      key.choices.emplace_back(choices.substr(0, end));
      choices.remove_prefix(std::min(choices.size(), end + 1));
    }
    section.keys.push_back(std::move(key));
    at += raw->size;
  }
  const auto& ours = isolation_keys(kind);
  section.keys.insert(section.keys.end(), ours.begin(), ours.end());
  if (std::string wrong = config::check_declaration(section); !wrong.empty()) return refuse(wrong);
  return section;
}

// Tells a file from another that was put in its place.
std::string file_identity(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return "gone";
  return fmt::format("{} {} {}.{}", facts.st_ino, facts.st_size, facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec);
}

template <class Kind>
Result<std::unique_ptr<Kind>> made(Result<Owned> owned) {
  if (!owned.ok()) return owned.status();
  return std::make_unique<Kind>(*std::move(owned));
}

}  // namespace

struct Plugins::Loaded {
  const lotse_plugin* entry = nullptr;
  std::unique_ptr<PluginHost> host;  // what init was given
  bool initialised = false;
  std::string identity;  // of the file, when it was loaded
};

Plugins::Plugins(const std::vector<std::string>& directories) { look_again(directories); }

void Plugins::look_again(const std::vector<std::string>& directories) {
  std::vector<Found> now = discover(directories);
  std::lock_guard lock(mutex_);
  for (Found& f : now) {
    auto known = std::find_if(found_.begin(), found_.end(), [&](const Found& k) { return k.path == f.path; });
    if (known == found_.end())
      found_.push_back(std::move(f));
    else if (!loaded_.contains(f.path))
      *known = std::move(f);
  }
}

std::vector<std::string> Plugins::replaced() const {
  std::vector<std::string> out;
  std::lock_guard lock(mutex_);
  for (const auto& [path, loaded] : loaded_)
    if (file_identity(path) != loaded->identity) out.push_back(path);
  return out;
}

Plugins::~Plugins() {
  for (auto& [path, loaded] : loaded_) {
    bool has = LOTSE_HAS(loaded->entry, lotse_plugin, deinit);
    if (loaded->initialised && has && loaded->entry->deinit)
      shielded_quietly("deinit", [&] { loaded->entry->deinit(); });
  }
}

Result<const Found*> Plugins::find(const std::string& kind, const std::string& name) const {
  std::vector<std::string> others;
  const Found* refused = nullptr;
  std::lock_guard lock(mutex_);
  for (const Found& found : found_) {
    bool right_kind = std::find(found.note.kinds.begin(), found.note.kinds.end(), kind) != found.note.kinds.end();
    // Of a refused file the note may be unknown: the habit of naming files says what it was meant to be.
    bool by_file = found.path.ends_with(fmt::format("/{}_{}.so", kind, name));
    if (!found.problem.empty()) {
      if ((right_kind && found.note.name == name) || by_file) refused = &found;
      continue;
    }
    if (right_kind && found.note.name == name) return &found;
    if (right_kind) others.push_back(found.note.name);
  }
  if (refused) return Status(Reason::kInvalid, refused->problem);
  std::string there =
      others.empty() ? "there is none of that kind" : fmt::format("there is {}", fmt::join(others, ", "));
  return Status(Reason::kNotFound, fmt::format("no plugin for {} '{}' was found ({}){}", kind, name, there,
                                               config::suggestion(name, others)));
}

Result<Plugins::Loaded*> Plugins::load(const Found& found) {
  std::lock_guard lock(mutex_);
  auto& slot = loaded_[found.path];
  if (!slot) {
    auto entry = load_library(found);
    if (!entry.ok()) {
      loaded_.erase(found.path);
      return entry.status();
    }
    slot = std::make_unique<Loaded>();
    slot->entry = *entry;
    slot->identity = file_identity(found.path);
  }
  return slot.get();
}

Result<const lotse_factory*> Plugins::factory(const std::string& kind, const std::string& name) {
  LOTSE_TRY(const Found* found, find(kind, name));
  LOTSE_TRY(Loaded * loaded, load(*found));
  return find_factory(*found, loaded->entry, kind);
}

Result<config::Section> Plugins::section(const std::string& kind, const std::string& name) {
  LOTSE_TRY(const Found* found, find(kind, name));
  LOTSE_TRY(const lotse_factory* made, factory(kind, name));
  return section_of(*found, *made, kind);
}

void Plugins::check(const config::Config& config, config::Complaints* complaints) {
  std::set<std::pair<std::string, std::string>> slots;
  auto want = [&](const std::string& kind, const std::string& name, bool needed) {
    if (needed) slots.emplace(kind, name);
  };
  for (const std::string& name : config.components.transport) want("transport", name, config.is_master());
  for (const std::string& name : config.components.scheduler) want("scheduler", name, config.is_master());
  want("state", config.components.state, config.is_master());
  want("runtime", config.components.runtime, config.is_worker());
  want("proxy", config.components.proxy, config.is_worker() && config.components.proxy != kAuto);
  for (const config::PluginTable& table : config.plugins) slots.emplace(table.kind, table.name);
  for (const auto& [kind, name] : slots) {
    const config::PluginTable* table = config.plugin(kind, name);
    auto declared = section(kind, name);
    if (declared.ok())
      config::check_plugin(config, kind, name, declared->keys, complaints);
    else
      complaints->add(table ? table->table.place : config::Place{}, declared.status().message);
  }
}

Status Plugins::initialise(Loaded& loaded, Host& host, const std::string& kind, const std::string& name) {
  if (loaded.initialised) return {};
  if (loaded.entry->init) {
    LOTSE_TRY(loaded.host, PluginHost::make(host, kind, name));
    lotse_error error = make_error();
    int32_t code = LOTSE_INTERNAL;
    std::string why = shielded("init", [&] { code = loaded.entry->init(loaded.host->raw(), &error); });
    if (!why.empty()) return Status(Reason::kInternalError, why);
    error.code = code;
    if (code != LOTSE_OK) return status_of(error);
  }
  loaded.initialised = true;
  return {};
}

Result<Owned> Plugins::create(Host& host, const std::string& kind, const std::string& name, const MsgValue& values) {
  LOTSE_TRY(const Found* found, find(kind, name));
  LOTSE_TRY(Loaded * loaded, load(*found));
  LOTSE_TRY(const lotse_factory* factory, find_factory(*found, loaded->entry, kind));
  auto about = [&](Status status) {
    status.message = fmt::format("{} plugin '{}': {}", kind, name, status.message);
    return status;
  };
  if (Status status = initialise(*loaded, host, kind, name); !status.ok()) return about(std::move(status));
  LOTSE_TRY(std::unique_ptr<PluginHost> plugin_host, PluginHost::make(host, kind, name));
  lotse_error error = make_error();
  std::string encoded = values.encode();
  const lotse_instance* raw = nullptr;
  std::string thrown = shielded("create", [&] { raw = factory->create(plugin_host->raw(), bytes(encoded), &error); });
  if (!thrown.empty()) return about(Status(Reason::kInternalError, thrown));
  if (raw == nullptr) return about(status_of(error));
  if (std::string why = instance_problem(kind, raw); !why.empty()) {
    if (raw->size >= sizeof(lotse_instance) && raw->destroy) raw->destroy(raw->self);
    return Status(Reason::kInvalid, fmt::format("{}: {}", found->path, why));
  }
  return Owned(raw, std::move(plugin_host), kind, name);
}

Result<Owned> Plugins::create_checked(Host& host, const config::Config& config, const std::string& kind,
                                      const std::string& name) {
  LOTSE_TRY(config::Section declared, section(kind, name));
  config::Complaints complaints(config.file_name());
  MsgValue values = config::check_plugin(config, kind, name, declared.keys, &complaints);
  LOTSE_CHECK_OK(complaints.status());
  const Isolation isolation = Isolation::take(&values);
  return isolation.process ? create_apart(host, kind, name, isolation, values) : create(host, kind, name, values);
}

Result<Owned> Plugins::create_apart(Host& host, const std::string& kind, const std::string& name, const Isolation& isolation,
                                    const MsgValue& values) {
  LOTSE_TRY(const Found* found, find(kind, name));
  LOTSE_TRY(std::unique_ptr<PluginHost> plugin_host, PluginHost::make(host, kind, name));
  auto made = create_isolated(host, *plugin_host, isolation, found->path, kind, name, values);
  if (!made.ok()) {
    Status status = made.status();
    status.message = fmt::format("{} plugin '{}': {}", kind, name, status.message);
    return status;
  }
  return Owned(*made, std::move(plugin_host), kind, name);
}

Result<std::unique_ptr<StatePlugin>> Plugins::create_state(Host& host, const config::Config& config) {
  return made<StatePlugin>(create_checked(host, config, "state", config.components.state));
}
Result<std::unique_ptr<SchedulerPlugin>> Plugins::create_scheduler(Host& host, const config::Config& config,
                                                                   const std::string& name) {
  return made<SchedulerPlugin>(create_checked(host, config, "scheduler", name));
}
Result<std::unique_ptr<RuntimePlugin>> Plugins::create_runtime(Host& host, const config::Config& config) {
  return made<RuntimePlugin>(create_checked(host, config, "runtime", config.components.runtime));
}
Result<std::unique_ptr<ProxyPlugin>> Plugins::create_proxy(Host& host, const config::Config& config) {
  if (config.components.proxy != kAuto) return create_proxy(host, config, config.components.proxy);
  std::string why;
  for (const char* name : kProxyChoices) {
    auto made = create_proxy(host, config, name);
    if (!made.ok()) {
      why += (why.empty() ? "" : "; ") + made.status().message;
      continue;
    }
    log::info("proxy.chosen", "the proxy mode that this machine can have", {{"mode", name}, {"not", why}});
    return made;
  }
  return Status(Reason::kInvalid, "proxy = \"auto\": no mode works here: " + why);
}
Result<std::unique_ptr<ProxyPlugin>> Plugins::create_proxy(Host& host, const config::Config& config,
                                                           const std::string& name) {
  return made<ProxyPlugin>(create_checked(host, config, "proxy", name));
}
Result<std::unique_ptr<TransportPlugin>> Plugins::create_transport(Host& host, const config::Config& config,
                                                                   const std::string& name) {
  return made<TransportPlugin>(create_checked(host, config, "transport", name));
}

}  // namespace lotse::plugin
