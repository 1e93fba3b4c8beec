// The engine on LMDB in a directory of its own, made synchronous.
#pragma once

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <lotse/state/engine.hpp>
#include <map>
#include <random>

#include "plugins/state_lmdb/lmdb_storage.h"

namespace lotse::test {

class Directory {
 public:
  // In memory where that is possible: what these tests call a disk is not the machine's.
  Directory() {
    std::string base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : std::filesystem::temp_directory_path().string();
    std::string text = base + "/lotse-lmdb-XXXXXX";
    if (mkdtemp(text.data()) == nullptr) abort();
    path = text;
  }
  ~Directory() { std::filesystem::remove_all(path); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string path;
};

struct Change {
  uint32_t kind;
  std::string key, value;
};
inline Change put(std::string key, std::string value) {
  return {LOTSE_STATE_PUT, std::move(key), std::move(value)};
}
inline Change del(std::string key) {
  return {LOTSE_STATE_DELETE, std::move(key), ""};
}

class Store {
 public:
  using Outcomes = std::vector<lotse_state_outcome>;
  explicit Store(const std::string& directory, state_lmdb::Notices notices = {}, uint64_t limit = UINT64_C(1) << 30,
                 uint64_t reserve = 1 << 20) {
    state_lmdb::Options options;
    options.directory = directory;
    options.size_limit_bytes = limit;
    options.reserve_bytes = reserve;
    options.first_map_bytes = 256 * 1024;
    std::unique_ptr<state_lmdb::LmdbStorage> storage;
    status = state_lmdb::LmdbStorage::open(options, std::move(notices), storage);
    if (status.ok()) engine = std::make_unique<state::Engine>(std::move(storage));
  }

  // `answered` runs on the writer's thread, before commit returns.
  Outcomes commit(const std::vector<Change>& changes, std::function<void(const Outcomes&)> answered = {}) {
    std::vector<lotse_state_op> ops;
    for (const Change& c : changes) {
      lotse_state_op op{};
      op.size = sizeof op;
      op.kind = c.kind;
      op.key = {c.key.data(), c.key.size()};
      op.value = {c.value.data(), c.value.size()};
      op.expected = LOTSE_STATE_ANY;
      ops.push_back(op);
    }
    struct Context {
      std::promise<Outcomes> promise;
      std::function<void(const Outcomes&)> answered;
    } context{{}, std::move(answered)};
    engine->commit(
        ops.data(), ops.size(),
        [](void* ctx, const lotse_state_outcome* outcomes, size_t count) {
          auto& c = *static_cast<Context*>(ctx);
          Outcomes all(outcomes, outcomes + count);
          if (c.answered) c.answered(all);
          c.promise.set_value(all);
        },
        &context);
    return context.promise.get_future().get();
  }
  lotse_state_outcome commit(const Change& change) { return commit(std::vector<Change>{change}).at(0); }

  // Everything at a revision (0: now). `code` tells how it ended.
  std::map<std::string, std::string> all(uint64_t revision = 0, int32_t* code = nullptr) {
    std::map<std::string, std::string> out;
    state::RangeQuery query;
    query.revision = revision;
    std::string start;
    for (;;) {
      query.start = start;
      state::RangeEnd end;
      state::Status ended = engine->storage().range(
          query, [&](const state::Entry& e) { return out.emplace(e.key, e.value), true; }, end);
      if (code != nullptr) *code = ended.code;
      if (!ended.ok() || !end.more) return out;
      query.revision = end.revision;
      start = out.rbegin()->first + '\0';
    }
  }
  state::Facts facts() {
    state::Facts facts;
    (void)engine->storage().facts(facts);
    return facts;
  }

  state::Status status;
  std::unique_ptr<state::Engine> engine;
};

}  // namespace lotse::test
