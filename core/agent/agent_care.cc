// What an agent looks at from time to time: pressure on memory, disk and process ids (agent_eviction.cc has what
// follows from it); logs that grew; images nobody uses. One timer for all of it.
#include "core/agent/agent_impl.h"
#include "core/agent/log_files.h"

namespace lotse::agent {
namespace {

constexpr Duration kShort = std::chrono::seconds(30);

}  // namespace

void Agent::Impl::care() {
  if (std::exchange(caring, true)) return;
  auto round = std::make_shared<CareRound>();
  std::vector<std::pair<ObjectPtr, PodDirs>> measured;
  for (const auto& [uid, pod] : pods) {
    const auto& s = pod->state();
    if (s.any_running() && (node_state.disk_pressure || s.spec->limits_storage))
      measured.emplace_back(pod->object(), pod->dirs());
  }
  auto look = [self = shared_from_this(), round, measured = std::move(measured)] {
    const auto& config = self->config;
    round->pressure = config.read_pressure ? config.read_pressure() : read_node_pressure(config.data_dir);
    for (const auto& [object, dirs] : measured)
      round->storage[object->header().uid] = measure_storage(object->value(), dirs);
  };
  on_pool(loop, pool, std::move(look), [weak = weak_from_this(), round] {
    auto self = weak.lock();
    if (!self || self->stopped) return;
    self->caring = false;
    self->check_pressure(round);
    self->rotate();
    self->care_timer = self->loop.after(self->config.care_period, [weak] {
      auto again = weak.lock();
      if (again && !again->stopped) again->care();
    });
  });
  if (!gc_timer) collect_images(false);
}

// Urgent: whatever nobody uses goes.
void Agent::Impl::collect_images(bool urgent) {
  auto used = disk_used_percent(config.data_dir);
  const auto& limits = config.images;
  if (used >= limits.gc_high_percent || urgent) {
    images.collect(used, urgent ? 0 : limits.gc_low_percent, [weak = weak_from_this()](int removed) {
      auto self = weak.lock();
      if (self && !self->stopped && removed > 0) self->refresh_images();
    });
  }
  gc_timer = loop.after(limits.gc_period, [weak = weak_from_this()] {
    auto self = weak.lock();
    if (!self || self->stopped) return;
    self->collect_images(false);
    self->refresh_images();
  });
}

void Agent::Impl::refresh_images() {
  images.list([weak = weak_from_this()](std::vector<MsgValue> list) {
    auto self = weak.lock();
    if (!self || self->stopped || list == self->node_state.images) return;
    self->node_state.images = std::move(list);
    if (self->node) self->node->changed();
  });
}

// Of containers that run: nothing is added to the logs of others any more.
void Agent::Impl::rotate() {
  struct One { std::string id; PodDirs dirs; std::string container; int attempt; };
  auto all = std::make_shared<std::vector<One>>();
  for (const auto& [uid, pod] : pods) {
    const auto& s = pod->state();
    for (size_t i = 0; i < s.containers.size(); ++i) {
      const auto& c = s.containers[i];
      if (c.running()) all->push_back({c.id, pod->dirs(), s.spec->containers[i].name, c.attempt});
    }
  }
  if (all->empty()) return;
  on_pool(loop, pool, [all, logs = config.logs, now = loop.clock().now()] {
    std::erase_if(*all, [&](const One& one) {
      return !rotate_log(one.dirs, one.container, one.attempt, logs.file_bytes_max, logs.files_max, now);
    });
  }, [weak = weak_from_this(), all] {
    auto self = weak.lock();
    if (!self || self->stopped) return;
    for (const auto& one : *all) {
      self->runtime.call(Call::kContainerReopenLog, MsgValue::map({{"id", one.id}}), kShort, [](Result<MsgValue>) {});
    }
  });
}

}  // namespace lotse::agent
