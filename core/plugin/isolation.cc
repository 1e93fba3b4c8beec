#include "core/plugin/isolation.h"

#include <fmt/format.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/plugin/code.h"
#include "lotse/host.hpp"
#include "sdk/isolation/isolated_instance.h"

namespace lotse::plugin {
namespace {

constexpr Duration kFloodOver = std::chrono::seconds(60);  // after which a flood of its log counts as over
constexpr const char* kProcess = "process";
constexpr const char* kLog = "log";

// Beside our own binary, or where a package puts it.
Result<std::string> find_program() {
  char self[4096];
  const ssize_t size = readlink("/proc/self/exe", self, sizeof self);
  if (size <= 0) return Status(Reason::kInternalError, "/proc/self/exe cannot be read");
  const std::string binary(self, static_cast<size_t>(size));
  const std::string directory = binary.substr(0, binary.rfind('/'));
  for (const char* place : {"/lotse-plugin-host", "/../lib/lotse/lotse-plugin-host"})
    if (access((directory + place).c_str(), X_OK) == 0) return directory + place;
  return Status(Reason::kNotFound, fmt::format("isolation = \"process\" needs lotse-plugin-host beside {} or in ../lib/lotse", binary));
}

// What is heard from and about the process. All of it on the thread of the instance, but for the end of a flood.
class Ear : public std::enable_shared_from_this<Ear> {
 public:
  explicit Ear(const PluginHost& host) : host_(host.raw()) {}

  void frame(const isolation::Frame& f) {
    auto parsed = MsgValue::parse(f.payload);
    if (!parsed.ok()) return;
    const auto& items = parsed->items();
    auto text = [&](size_t i) { return i < items.size() ? std::string(items[i].as_text()) : std::string(); };
    if (f.type == isolation::FrameType::kFault) {
      const std::string id = text(0), reason = text(1), message = text(2);
      if (reason.empty()) return faults_.erase(id), host_.clear_fault(id.c_str());
      faults_.insert(id);
      return host_.raise_fault(id.c_str(), reason.c_str(), message);
    }
    if (text(0).empty()) return flooded();
    auto* log = host_.service<lotse_host_log>(LOTSE_HOST_LOG);
    std::vector<lotse_pair> fields;
    for (size_t i = 2; i + 1 < items.size(); i += 2) fields.push_back({bytes(items[i].as_text()), bytes(items[i + 1].as_text())});
    const std::string event = text(0), message = text(1);
    log->write(log->self, static_cast<int32_t>(f.number), event.c_str(), bytes(message), fields.data(), fields.size());
  }
  void said(std::string_view line) { host_.info("printed", line); }
  void flooded() {
    std::lock_guard lock(mutex_);
    if (!flooding_) {
      flooding_ = true;
      host_.raise_fault(kLog, "PluginLogFlood", "the plugin logs more than 100 lines or 64 KiB a second; the rest is dropped or waits");
    }
    quiet_ = host_.after(kFloodOver, [weak = weak_from_this()] {
      auto self = weak.lock();
      if (!self) return;
      std::lock_guard again(self->mutex_);
      self->flooding_ = false;
      self->host_.clear_fault(kLog);
    });
  }
  void ended(const isolation::HostProcess::Ended& how) {
    using End = isolation::HostProcess::End;
    const char* reason = how.how == End::kHung ? "PluginHung" : how.how == End::kMemory ? "PluginOutOfMemory" : "PluginCrashed";
    const std::string sentence = "the plugin's own process " + how.sentence + "; it is started again";
    for (const std::string& id : std::exchange(faults_, {})) host_.clear_fault(id.c_str());  // what it complained of is to be seen anew
    host_.raise_fault(kProcess, reason, sentence);
  }
  void back() { host_.clear_fault(kProcess); }

 private:
  sdk::Host host_;
  std::set<std::string> faults_;  // that the plugin has raised
  std::mutex mutex_;
  bool flooding_ = false;
  sdk::Host::Timer quiet_;
};

}  // namespace

const std::vector<config::Key>& isolation_keys(const std::string& kind) {
  using config::Key, config::KeyType;
  static const std::vector<Key> none, keys = [] {
    Key where{"isolation", KeyType::kString, "whether the plugin runs in lotsed or in a process of its own, lotse-plugin-host"};
    where.fallback = "none", where.choices = {"none", "process"};
    Key memory{"isolation_memory", KeyType::kSize, "process: how much memory the plugin may use; 0: no limit"};
    memory.fallback = "0";
    Key patience{"isolation_patience", KeyType::kDuration, "process: how long after a call's deadline the plugin counts as hung"};
    patience.fallback = "10s", patience.minimum = 100'000'000, patience.maximum = 3600'000'000'000;
    return std::vector<Key>{where, memory, patience};
  }();
  return kind == "runtime" || kind == "proxy" ? keys : none;
}

Isolation Isolation::take(MsgValue* values) {
  Isolation out;
  MsgValue rest = MsgValue::map();
  for (const auto& [key, value] : values->members()) {
    if (key == "isolation") out.process = value.as_text() == "process";
    else if (key == "isolation_memory") out.memory = value.as_int();
    else if (key == "isolation_patience") out.patience = Duration(value.as_int());
    else rest.append(key, value);
  }
  *values = std::move(rest);
  return out;
}

Result<const lotse_instance*> create_isolated(const Host& host, const PluginHost& plugin_host, const Isolation& how,
                                              const std::string& path, const std::string& kind, const std::string& name,
                                              const MsgValue& values) {
  isolation::IsolatedInstance::Settings settings;
  LOTSE_TRY(settings.program, find_program());
  const HostOptions& o = host.options();
  settings.description = {path, kind, name, o.data_dir, o.run_dir, o.node_name, values.encode(), static_cast<int64_t>(log::level()), how.memory};
  if (how.patience.count() > 0) settings.patience_ns = how.patience.count();
  auto ear = std::make_shared<Ear>(plugin_host);
  settings.listener = {[ear](const isolation::Frame& f) { ear->frame(f); }, [ear](std::string_view line) { ear->said(line); },
                       [ear] { ear->flooded(); }};
  settings.ended = [ear](const isolation::HostProcess::Ended& ended) { ear->ended(ended); };
  settings.back = [ear] { ear->back(); };
  std::string why;
  int32_t code = LOTSE_OK;
  const lotse_instance* made = isolation::IsolatedInstance::make(std::move(settings), &why, &code);
  if (!made) return status_of(code, why);
  return made;
}

}  // namespace lotse::plugin
