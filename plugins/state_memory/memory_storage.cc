#include "plugins/state_memory/memory_storage.h"

#include <lotse/state/identity.hpp>

namespace lotse::state_memory {
namespace {
constexpr size_t kChunkEntries = 2048;
constexpr size_t kChunkBytes = 1024 * 1024;
constexpr size_t kChunkRecords = 4096;
constexpr size_t kRecordOverhead = 200;  // map nodes, pointers and counters of one version, roughly
}  // namespace

MemoryStorage::MemoryStorage(uint64_t bytes_limit)
    : bytes_limit_(bytes_limit), identity_(state::new_identity()), writing_(mutex_, std::defer_lock) {}

size_t MemoryStorage::cost(const Record& record) {
  return kRecordOverhead + 2 * record.key->size() + record.value->size();
}

void MemoryStorage::Tables::add(RecordPtr record) {
  bytes += cost(*record);
  if (record->expires_unix_ns != 0) expiries.emplace(record->expires_unix_ns, record->revision);
  log.emplace_hint(log.end(), record->revision, record);
  index[*record->key].push_back(std::move(record));
}

void MemoryStorage::Tables::forget(const RecordPtr& record) {
  bytes -= cost(*record);
  auto versions = index.find(*record->key);
  std::erase(versions->second, record);
  if (versions->second.empty()) index.erase(versions);
  log.erase(record->revision);
}

state::Room MemoryStorage::begin(size_t bytes, size_t operations) {
  writing_.lock();
  state::Room room;
  if (tables_.bytes + bytes + operations * kRecordOverhead > bytes_limit_) {
    room.puts = {LOTSE_NO_SPACE, "the memory store has reached its size_limit"};
  }
  return room;
}

uint64_t MemoryStorage::head(std::string_view key) {
  auto found = tables_.index.find(key);
  if (found == tables_.index.end() || found->second.back()->kind == LOTSE_STATE_DELETE) return 0;
  return found->second.back()->revision;
}

void MemoryStorage::apply(const state::Change& change) {
  if (change.previous != 0) {
    const Record& previous = *tables_.log.at(change.previous);
    if (previous.expires_unix_ns != 0) tables_.expiries.erase({previous.expires_unix_ns, previous.revision});
  }
  auto record = std::make_shared<Record>();
  record->revision = change.revision;
  record->kind = change.kind;
  record->previous = change.previous;
  record->expires_unix_ns = change.expires_unix_ns;
  record->key = std::make_shared<const std::string>(change.key);
  record->value = std::make_shared<const std::string>(change.value);
  tables_.add(std::move(record));
  tables_.revision = change.revision;
}

state::Committed MemoryStorage::commit() {
  writing_.unlock();
  return {};
}

// The same rule as on disk: of what lies below `until`, a version that was replaced or deleted below it goes, and
// so does the mark of the deletion.
void MemoryStorage::sweep(uint64_t until, size_t limit) {
  auto next = tables_.log.lower_bound(tables_.swept);
  for (size_t i = 0; i < limit; ++i) {
    if (next == tables_.log.end() || next->first >= until) {
      tables_.swept = until;
      return;
    }
    RecordPtr record = next->second;
    tables_.swept = record->revision + 1;
    ++next;
    if (record->previous != 0) tables_.forget(tables_.log.at(record->previous));
    if (record->kind == LOTSE_STATE_DELETE) tables_.forget(record);
  }
}

int64_t MemoryStorage::next_expiry_unix_ns() {
  return tables_.expiries.empty() ? 0 : tables_.expiries.begin()->first;
}

std::vector<state::Due> MemoryStorage::due(int64_t unix_ns, size_t limit) {
  std::vector<state::Due> due;
  for (const auto& [expires, revision] : tables_.expiries) {
    if (expires > unix_ns || due.size() == limit) break;
    due.push_back({*tables_.log.at(revision)->key, revision});
  }
  return due;
}

state::Status MemoryStorage::facts(state::Facts& facts) {
  std::shared_lock lock(mutex_);
  facts.revision = tables_.revision;
  facts.compacted = tables_.compacted;
  facts.swept = tables_.swept;
  facts.bytes_used = tables_.bytes;
  facts.bytes_limit = bytes_limit_;
  facts.identity = identity_;
  return {};
}

MemoryStorage::RecordPtr MemoryStorage::at(const Versions& versions, uint64_t revision) {
  for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
    if ((*version)->revision <= revision) return (*version)->kind == LOTSE_STATE_PUT ? *version : nullptr;
  }
  return nullptr;
}

state::Status MemoryStorage::range(const state::RangeQuery& query, const state::OnEntry& on_entry,
                                   state::RangeEnd& end) {
  std::vector<RecordPtr> chunk;
  {
    std::shared_lock lock(mutex_);
    if (state::Status status = state::check_revision(query, tables_.revision, tables_.compacted); !status.ok()) {
      return status;
    }
    end.revision = query.revision == 0 ? tables_.revision : query.revision;
    size_t most = query.limit == 0 ? kChunkEntries : std::min<uint64_t>(query.limit, kChunkEntries);
    size_t bytes = 0;
    for (auto key = tables_.index.lower_bound(query.start); key != tables_.index.end(); ++key) {
      if (!query.end.empty() && key->first >= query.end) break;
      RecordPtr record = at(key->second, end.revision);
      if (record == nullptr) continue;
      if (chunk.size() == most || bytes >= kChunkBytes) {
        end.more = true;
        break;
      }
      bytes += record->key->size() + record->value->size();
      chunk.push_back(std::move(record));
    }
  }
  for (size_t i = 0; i < chunk.size(); ++i) {
    const Record& record = *chunk[i];
    std::string_view value = query.keys_only ? std::string_view() : std::string_view(*record.value);
    if (!on_entry({*record.key, value, record.revision, record.expires_unix_ns})) {
      end.more = end.more || i + 1 < chunk.size();
      break;
    }
  }
  return {};
}

state::Status MemoryStorage::read_log(uint64_t from, std::string_view start, std::string_view end, size_t bytes_max,
                                      state::EventChunk& chunk) {
  std::shared_lock lock(mutex_);
  if (from < tables_.compacted) return {LOTSE_COMPACTED, "revision " + std::to_string(from) + " has been compacted"};
  size_t scanned = 0;
  for (auto next = tables_.log.lower_bound(from); next != tables_.log.end(); ++next) {
    const Record& record = *next->second;
    if (scanned == kChunkRecords || (scanned > 0 && chunk.memory() >= bytes_max)) return {};
    ++scanned;
    chunk.progress = record.revision;
    if (!state::within(*record.key, start, end)) continue;
    std::string_view previous = record.previous == 0 ? std::string_view() : *tables_.log.at(record.previous)->value;
    chunk.add(record.kind, record.revision, *record.key, *record.value, previous, record.previous);
  }
  chunk.progress = std::max(from - 1, tables_.revision);
  return {};
}

struct MemoryStorage::Aside : state::Replacement {
  Tables tables;
  std::map<uint64_t, RecordPtr> by_revision;
  uint64_t limit = 0;

  state::Status add(const state::Entry& entry) override {
    auto record = std::make_shared<Record>();
    record->revision = entry.revision;
    record->expires_unix_ns = entry.expires_unix_ns;
    record->key = std::make_shared<const std::string>(entry.key);
    record->value = std::make_shared<const std::string>(entry.value);
    if (!by_revision.emplace(entry.revision, record).second) {
      return {LOTSE_INVALID, "the backup cannot be used: two of its keys share a revision"};
    }
    tables.add(std::move(record));
    if (tables.bytes > limit) return {LOTSE_NO_SPACE, "the backup is larger than the memory store's size_limit"};
    return {};
  }
};

state::Status MemoryStorage::prepare(std::unique_ptr<state::Replacement>& replacement) {
  auto aside = std::make_unique<Aside>();
  aside->limit = bytes_limit_;
  replacement = std::move(aside);
  return {};
}

state::Status MemoryStorage::replace(std::unique_ptr<state::Replacement> replacement, uint64_t revision) {
  Tables tables = std::move(static_cast<Aside&>(*replacement).tables);
  tables.revision = tables.compacted = tables.swept = revision;
  std::unique_lock lock(mutex_);
  std::swap(tables_, tables);
  identity_ = state::new_identity();
  lock.unlock();
  return {};  // the old tables go without the lock
}

}  // namespace lotse::state_memory
