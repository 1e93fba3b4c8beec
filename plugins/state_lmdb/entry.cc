// The door of the LMDB backend.
#include <lotse/plugin.hpp>
#include <lotse/state/instance.hpp>

#include "plugins/state_lmdb/lmdb_storage.h"

namespace lotse::state_lmdb {
namespace {
constexpr char kFault[] = "store";

std::unique_ptr<LmdbStorage> open_storage(const sdk::Host& host, const sdk::Config& config) {
  Options options;
  options.directory = host.data_dir();
  options.size_limit_bytes = static_cast<uint64_t>(config.size("size_limit"));
  options.reserve_bytes = static_cast<uint64_t>(config.size("reserve"));
  Notices notices;
  notices.warn = [host](const char* event, const std::string& sentence) { host.warn(event, sentence); };
  notices.raise = [host](const char* reason, const std::string& sentence) {
    host.raise_fault(kFault, reason, sentence);
  };
  notices.clear = [host] { host.clear_fault(kFault); };
  std::unique_ptr<LmdbStorage> storage;
  if (state::Status status = LmdbStorage::open(options, std::move(notices), storage); !status.ok()) {
    throw sdk::Failure(status.code, status.message);
  }
  return storage;
}
}  // namespace

class LmdbState : public state::EngineInstance {
 public:
  LmdbState(const sdk::Host& host, const sdk::Config& config) : EngineInstance(host, open_storage(host, config)) {}
  static std::vector<lotse_key> keys() {
    return {sdk::Key::bytes("size_limit", "how large the store's file may become; puts are refused beyond it")
                .fallback("8GiB")
                .range(1 << 20, INT64_C(1) << 42),
            sdk::Key::bytes("reserve", "disk space set aside, so that deletes work where puts find the disk full")
                .fallback("8MiB")
                .range(256 << 10, INT64_C(1) << 30)};
  }
};
}  // namespace lotse::state_lmdb

LOTSE_PLUGIN(state, "lmdb", "0.1.0", 2, "durable state in one LMDB file", lotse::state_lmdb::LmdbState)
