// The door of the memory backend: for tests, and for clusters that may forget.
#include <lotse/plugin.hpp>
#include <lotse/state/instance.hpp>

#include "plugins/state_memory/memory_storage.h"

namespace lotse::state_memory {
class MemoryState : public state::EngineInstance {
 public:
  MemoryState(const sdk::Host& host, const sdk::Config& config)
      : EngineInstance(host, std::make_unique<MemoryStorage>(static_cast<uint64_t>(config.size("size_limit")))) {}
  static std::vector<lotse_key> keys() {
    return {sdk::Key::bytes("size_limit", "how much memory all versions together may take")
                .fallback("1GiB")
                .range(1 << 20, INT64_C(1) << 40)};
  }
};
}  // namespace lotse::state_memory

LOTSE_PLUGIN(state, "memory", "0.1.0", 2, "state in memory, gone with the process", lotse::state_memory::MemoryState)
