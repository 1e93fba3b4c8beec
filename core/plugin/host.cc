#include "core/plugin/host.h"

#include <fmt/format.h>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/plugin/code.h"
#include "core/plugin/loop_service.h"

namespace lotse::plugin {
namespace {

constexpr int kLinesPerSecond = 100;

}  // namespace

Host::Host(Loop& loop, WorkerPool& workers, HostOptions options)
    : loop_(loop),
      workers_(workers),
      options_(std::move(options)),
      loop_service_(std::make_unique<LoopService>(loop, workers)) {
  if (options_.run_dir.empty()) options_.run_dir = options_.data_dir + "/run";
  offer(LOTSE_HOST_LOOP, loop_service_->raw());
}

Host::~Host() = default;

void Host::offer(const std::string& id, const void* service) {
  offer_each(id, [service](const std::string&, const std::string&) { return service; });
}

void Host::offer_each(const std::string& id, std::function<const void*(const std::string&, const std::string&)> make) {
  std::lock_guard lock(mutex_);
  services_[id] = std::move(make);
}

struct PluginHost::Impl {
  Impl(Host& h, std::string k, std::string n) : host(h), kind(std::move(k)), name(std::move(n)) {}

  Host& host;
  std::string kind, name, label;
  std::string data_dir, run_dir;
  lotse_host raw{};
  lotse_host_log log{};
  lotse_host_paths paths{};
  lotse_host_fault fault{};
  std::mutex mutex;
  int64_t second = 0;
  int lines = 0, dropped = 0;

  static Impl* of(void* self) { return static_cast<Impl*>(self); }

  static const void* service(void* self, const char* id) {
    Impl* p = of(self);
    std::string_view wanted = id ? id : "";
    std::function<const void*(const std::string&, const std::string&)> make;
    {
      std::lock_guard lock(p->host.mutex_);
      auto found = p->host.services_.find(std::string(wanted));
      if (found != p->host.services_.end()) make = found->second;
    }
    if (make) return make(p->kind, p->name);
    if (wanted == LOTSE_HOST_LOG) return &p->log;
    if (wanted == LOTSE_HOST_PATHS) return &p->paths;
    if (wanted == LOTSE_HOST_FAULT) return &p->fault;
    return nullptr;
  }

  // Whether one more line may be written; tells how many were dropped in a second that has passed.
  bool may_write() {
    int told = 0;
    bool good;
    {
      std::lock_guard lock(mutex);
      int64_t now = Clock::system().steady().time_since_epoch().count() / 1'000'000'000;
      if (now != second) second = now, told = std::exchange(dropped, 0), lines = 0;
      good = ++lines <= kLinesPerSecond;
      if (!good) dropped++;
    }
    if (told > 0)
      log::warn("plugin.log.dropped", "the plugin wrote more than 100 lines in a second",
                {{"plugin", label}, {"count", told}});
    return good;
  }

  static void write(void* self, int32_t level, const char* event, lotse_bytes message, const lotse_pair* fields,
                    size_t count) {
    Impl* p = of(self);
    log::Level at = log::Level(std::clamp<int32_t>(level, LOTSE_DEBUG, LOTSE_FAIL));
    if (at < log::level() || !p->may_write()) return;
    std::vector<log::Field> list;
    for (size_t i = 0; i < std::min<size_t>(count, 32); i++)
      list.emplace_back(view(fields[i].key), view(fields[i].value));
    log::write(at, fmt::format("{}.{}", p->label, event ? event : "event"), view(message), list.data(), list.size());
  }
  static int32_t level(void*) { return int32_t(log::level()); }

  static void raise(void* self, const char* id, const char* reason, lotse_bytes message) {
    Impl* p = of(self);
    log::warn("plugin.fault.raised", view(message), {{"plugin", p->label}, {"fault", id}, {"reason", reason}});
    if (p->host.options_.fault) p->host.options_.fault(p->label, id, reason, std::string(view(message)));
  }
  static void clear(void* self, const char* id) {
    Impl* p = of(self);
    log::info("plugin.fault.cleared", "the fault is over", {{"plugin", p->label}, {"fault", id}});
    if (p->host.options_.fault) p->host.options_.fault(p->label, id, "", "");
  }
};

PluginHost::PluginHost(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PluginHost::~PluginHost() = default;
const lotse_host* PluginHost::raw() const {
  return &impl_->raw;
}

Result<std::unique_ptr<PluginHost>> PluginHost::make(Host& host, const std::string& kind, const std::string& name) {
  auto impl = std::make_unique<Impl>(host, kind, name);
  impl->label = kind + "_" + name;
  impl->data_dir = fmt::format("{}/{}/{}", host.options_.data_dir, kind, name);
  impl->run_dir = fmt::format("{}/{}/{}", host.options_.run_dir, kind, name);
  LOTSE_CHECK_OK(make_dirs(impl->data_dir, 0700));
  LOTSE_CHECK_OK(make_dirs(impl->run_dir, 0700));
  Impl* p = impl.get();
  p->raw = {sizeof p->raw, 0, p, LOTSE_VERSION, Impl::service};
  p->log = {sizeof p->log, 0, p, Impl::write, Impl::level};
  p->paths = {sizeof p->paths,
              0,
              p,
              p->data_dir.c_str(),
              p->run_dir.c_str(),
              host.options_.node_name.c_str(),
              host.options_.data_dir.c_str()};
  p->fault = {sizeof p->fault, 0, p, Impl::raise, Impl::clear};
  return std::unique_ptr<PluginHost>(new PluginHost(std::move(impl)));
}

}  // namespace lotse::plugin
