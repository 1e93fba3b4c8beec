#include "core/daemon/reload.h"

#include <fmt/format.h>

#include "core/base/log.h"
#include "core/daemon/master.h"
#include "core/daemon/worker.h"

namespace lotse::daemon {
namespace {

void set_log_level(const std::string& name) {
  using log::Level;
  log::set_level(name == "debug" ? Level::kDebug : name == "warn" ? Level::kWarn : name == "error" ? Level::kError : Level::kInfo);
}

}  // namespace

struct Reload::Plan {
  struct Change {
    const plugin::Owned* instance;
    MsgValue before, after;  // as create() takes them
  };
  std::vector<std::string> done, restart;
  std::vector<Change> changes;
  bool policies = false;
};

void Reload::compare_sections(const config::Config& next, Plan* plan) const {
  for (const config::Section& section : config::core_sections()) {
    const auto was = running_.sections.find(section.name), is = next.sections.find(section.name);
    if (was == running_.sections.end() || is == next.sections.end()) continue;
    for (const config::Key& key : section.keys)
      if (!(was->second[key.name] == is->second[key.name]))
        (key.reloadable ? plan->done : plan->restart).push_back(fmt::format("[{}] {}", section.name, key.name));
  }
}

// The instances that run: a key that the plugin takes while it runs is handed over, any other waits for a restart.
Status Reload::compare_plugins(const config::Config& next, Plan* plan) const {
  std::vector<const plugin::Owned*> all;
  if (master_)
    for (const auto* p : master_->plugins()) all.push_back(p);
  if (worker_)
    for (const auto* p : worker_->plugins()) all.push_back(p);
  std::set<std::string> named;
  for (const plugin::Owned* p : all) {
    LOTSE_TRY(config::Section section, base_.plugins.section(p->kind(), p->name()));
    config::Complaints none;
    MsgValue was = config::check_plugin(running_, p->kind(), p->name(), section.keys, &none);
    MsgValue is = config::check_plugin(next, p->kind(), p->name(), section.keys, &none);
    MsgValue wanted = was;
    bool any = false;
    for (const config::Key& key : section.keys) {
      if (was[key.name] == is[key.name]) continue;
      if (named.insert(section.name + key.name).second)
        (key.reloadable ? plan->done : plan->restart).push_back(fmt::format("[{}] {}", section.name, key.name));
      if (!key.reloadable) continue;
      wanted.set(key.name, is[key.name]);
      any = true;
    }
    if (!any) continue;
    plugin::Isolation::take(&was), plugin::Isolation::take(&wanted);
    plan->changes.push_back({p, std::move(was), std::move(wanted)});
  }
  return {};
}

bool Reload::policies_differ(const config::Config& next) const {
  if (running_.components.scheduler != next.components.scheduler) return true;
  for (const std::string& name : next.components.scheduler) {
    auto section = base_.plugins.section("scheduler", name);
    if (!section.ok()) return true;
    config::Complaints none;
    if (!(config::check_plugin(running_, "scheduler", name, section->keys, &none) == config::check_plugin(next, "scheduler", name, section->keys, &none)))
      return true;
  }
  return false;
}

// All of them or, as far as they let us, none.
Status Reload::reconfigure(const Plan& plan) const {
  for (size_t i = 0; i < plan.changes.size(); ++i) {
    Status status = plan.changes[i].instance->reconfigure(plan.changes[i].after);
    if (status.ok()) continue;
    for (size_t back = 0; back < i; ++back)
      if (Status s = plan.changes[back].instance->reconfigure(plan.changes[back].before); !s.ok())
        log::error("daemon.reload_half", "a plugin does not take its old values back", {{"plugin", plan.changes[back].instance->name()}, {"reason", s.message}});
    const auto* p = plan.changes[i].instance;
    return Status(status.reason, fmt::format("{} plugin '{}' refuses its new values: {}; nothing was changed", p->kind(), p->name(), status.message));
  }
  return {};
}

void Reload::applied(const config::Config& next) {
  for (const config::Section& section : config::core_sections())
    for (const config::Key& key : section.keys)
      if (auto is = next.sections.find(section.name); key.reloadable && is != next.sections.end())
        running_.sections[section.name].set(key.name, is->second[key.name]);
  running_.daemon.log_level = next.daemon.log_level;
  running_.daemon.plugin_path = next.daemon.plugin_path;
  running_.components.scheduler = next.components.scheduler;
}

Result<std::string> Reload::run() {
  std::lock_guard lock(mutex_);
  LOTSE_TRY(config::Config next, read_());
  base_.plugins.look_again(plugin::search_path(next.daemon.plugin_path));
  config::Complaints complaints(next.file_name());
  base_.plugins.check(next, &complaints);
  LOTSE_CHECK_OK(complaints.status());
  Plan plan;
  compare_sections(next, &plan);
  LOTSE_CHECK_OK(compare_plugins(next, &plan));
  std::vector<std::unique_ptr<plugin::SchedulerPlugin>> policies;
  if (master_ && policies_differ(next)) {
    for (const std::string& name : next.components.scheduler) {
      LOTSE_TRY(auto policy, base_.plugins.create_scheduler(base_.host, next, name));
      policies.push_back(std::move(policy));
    }
    plan.policies = true;
  }
  LOTSE_CHECK_OK(reconfigure(plan));
  // From here on nothing fails.
  std::string out = "reloaded " + next.file_name() + "\n";
  for (const std::string& what : plan.done) out += "  " + what + "\n";
  if (plan.policies) {
    master_->set_policies(std::move(policies), next);
    out += fmt::format("  scheduler policies are new: {}\n", fmt::join(next.components.scheduler, ", "));
  }
  if (next.daemon.log_level != running_.daemon.log_level) set_log_level(next.daemon.log_level);
  applied(next);
  // Tables of plugins: those that took their values, and policies, have those of the file; the others keep what they were made with.
  for (const auto& change : plan.changes) {
    std::erase_if(running_.plugins, [&](const config::PluginTable& t) { return t.kind == change.instance->kind() && t.name == change.instance->name(); });
    if (const auto* table = next.plugin(change.instance->kind(), change.instance->name())) running_.plugins.push_back(*table);
  }
  std::erase_if(running_.plugins, [](const config::PluginTable& t) { return t.kind == "scheduler"; });
  for (const auto& t : next.plugins)
    if (t.kind == "scheduler") running_.plugins.push_back(t);
  for (const std::string& path : base_.plugins.replaced()) plan.restart.push_back(path + " (the file was replaced)");
  for (const std::string& what : plan.restart) out += "  takes a restart: " + what + "\n";
  if (plan.done.empty() && plan.restart.empty() && !plan.policies) out += "  nothing has changed\n";
  log::info("daemon.reloaded", "the configuration was read again", {{"applied", plan.done.size()}, {"policies", plan.policies}, {"restart", plan.restart.size()}});
  return out;
}

}  // namespace lotse::daemon
