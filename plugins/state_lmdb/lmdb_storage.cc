#include "plugins/state_lmdb/lmdb_storage.h"

namespace lotse::state_lmdb {
namespace {
constexpr std::string_view kAfterAll{"\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9};  // above every revision
constexpr size_t kPagesBesides = 64;  // paths through the tables, the list of free pages
}  // namespace

state::Room LmdbStorage::begin(size_t bytes, size_t operations) {
  state::Room room;
  if (state::Status status = ready_to_write(); !status.ok()) {
    tell(status);
    return {status, status};
  }
  size_t page = env_->page_size();
  size_t pages = bytes * 5 / 4 / page + operations / 2 + kPagesBesides;
  size_t used = env_->used_bytes();
  room.puts = room_for(used, pages * page);
  if (!grow(used, pages * page)) room = {{LOTSE_UNAVAILABLE, "no memory for the store's map"}, {LOTSE_UNAVAILABLE, ""}};
  int rc = env_ == nullptr ? ENOMEM : mdb_txn_begin(env_->env(), nullptr, 0, &txn_);
  if (rc != 0) {
    state::Status status = explain("a transaction could not be started", rc);
    if (env_ != nullptr) (void)reopen();
    return {status, status};
  }
  log_cursor_ = std::make_unique<Cursor>(txn_, env_->tables().log);
  index_cursor_ = std::make_unique<Cursor>(txn_, env_->tables().index);
  write_error_ = log_cursor_->error() != 0 ? log_cursor_->error() : index_cursor_->error();
  batch_revision_ = 0;
  expiry_touched_ = false;
  tell(room.puts);
  return room;
}

// Whether puts have room: below the limit and on the disk, or else in pages that the file has but does not use.
state::Status LmdbStorage::room_for(size_t used, size_t bytes) {
  state::Status status;
  if (used + bytes > options_.size_limit_bytes) {
    status = {LOTSE_NO_SPACE, "the store has reached its size_limit of " + std::to_string(options_.size_limit_bytes) +
                                  " bytes: raise it, or delete something and wait for the compaction"};
  } else {
    status = space_.ensure(used, bytes);
    if (status.code == LOTSE_UNAVAILABLE) status = {};  // the commit will tell
  }
  if (status.code == LOTSE_NO_SPACE && env_->free_pages() * env_->page_size() >= bytes) return {};
  return status;
}

void LmdbStorage::end_write() {
  log_cursor_.reset();
  index_cursor_.reset();
}

void LmdbStorage::abort() {
  end_write();
  if (txn_ != nullptr) mdb_txn_abort(std::exchange(txn_, nullptr));
}

state::Committed LmdbStorage::commit() {
  end_write();
  int rc = write_error_;
  if (rc != 0) {
    abort();
  } else {
    rc = mdb_txn_commit(std::exchange(txn_, nullptr));
  }
  if (rc == 0) {
    if (batch_revision_ != 0) revision_ = batch_revision_;
    if (expiry_touched_) expiry_known_ = false;
    return {};
  }
  if (rc == MDB_MAP_FULL) {
    size_t before = env_->map_bytes();
    if (grow(before, before) && env_->map_bytes() > before) return {state::CommitResult::kAgain, {}};
    state::Status full = explain("the store has reached its size_limit", rc);
    tell(full);
    return {state::CommitResult::kFailed, full};
  }
  return failed(rc);
}

// The revision of the newest version in the index below prefix, with its flags; 0: none.
uint64_t LmdbStorage::newest(std::string_view prefix, char* flags) {
  Cursor& index = *index_cursor_;
  std::string after(prefix);
  after += kAfterAll;
  bool found = index.seek(after) ? index.previous() : index.last();
  if (index.error() != 0) fail(index.error());
  if (!found || !index.key().starts_with(prefix) || index.key().size() != prefix.size() + 8) return 0;
  *flags = index.value().empty() ? '\0' : index.value()[0];
  return read_number(index.key().substr(prefix.size()));
}

uint64_t LmdbStorage::head(std::string_view key) {
  if (write_error_ != 0) return 0;
  char flags = 0;
  uint64_t revision = newest(index_prefix(key), &flags);
  return (flags & kIndexKindMask) == LOTSE_STATE_PUT ? revision : 0;
}

bool LmdbStorage::log_record(uint64_t revision, Record& record) {
  std::string at = number(revision);
  MDB_val key = val(at), value{};
  int rc = mdb_get(txn_, env_->tables().log, &key, &value);
  if (rc == 0 && !read_record(view(value), record)) rc = MDB_CORRUPTED;
  if (rc != 0) fail(rc);
  return rc == 0;
}

void LmdbStorage::apply(const state::Change& change) {
  if (write_error_ != 0) return;
  std::string prefix = index_prefix(change.key);
  if (change.previous != 0) {
    char flags = 0;
    newest(prefix, &flags);
    if ((flags & kIndexExpires) != 0) erase_expiry(change.previous);
  }
  Record record{change.kind, change.previous, change.expires_unix_ns, change.key, change.value};
  std::string revision = number(change.revision);
  MDB_val key = val(revision), data{record_size(record), nullptr};
  int rc = mdb_cursor_put(log_cursor_->raw(), &key, &data, MDB_APPEND | MDB_RESERVE);
  if (rc == 0) {
    write_record(record, static_cast<char*>(data.mv_data));
    char flags = static_cast<char>(change.kind | (change.expires_unix_ns != 0 ? uint32_t{kIndexExpires} : 0));
    std::string at = prefix + revision;
    key = val(at), data = {1, &flags};
    rc = mdb_cursor_put(index_cursor_->raw(), &key, &data, 0);
  }
  if (rc == 0 && change.expires_unix_ns != 0) {
    rc = put(txn_, env_->tables().expiry, number(static_cast<uint64_t>(change.expires_unix_ns)) + revision, {});
    expiry_touched_ = true;
  }
  if (rc != 0) fail(rc);
  batch_revision_ = change.revision;
}

void LmdbStorage::erase(MDB_dbi table, std::string_view key) {
  MDB_val k = val(key);
  if (int rc = mdb_del(txn_, table, &k, nullptr); rc != 0 && rc != MDB_NOTFOUND) fail(rc);
}

void LmdbStorage::erase_expiry(uint64_t revision) {
  Record record;
  if (!log_record(revision, record) || record.expires_unix_ns == 0) return;
  erase(env_->tables().expiry, number(static_cast<uint64_t>(record.expires_unix_ns)) + number(revision));
  expiry_touched_ = true;
}

void LmdbStorage::erase_version(std::string_view key, uint64_t revision) {
  std::string at = number(revision);
  erase(env_->tables().index, index_prefix(key) + at);
  erase(env_->tables().log, at);
}

void LmdbStorage::set_compacted(uint64_t revision) {
  if (write_error_ != 0) return;
  if (int rc = put(txn_, env_->tables().meta, kMetaCompacted, number(revision)); rc != 0) fail(rc);
}

// Goes through the changes since the last sweep, not through the store: a change below `until` makes the version that
// it replaced unreadable, and the mark of a deletion says nothing that its absence does not.
void LmdbStorage::sweep(uint64_t until, size_t limit) {
  uint64_t from = meta_number(txn_, env_->tables(), kMetaSwept);
  for (size_t i = 0; i < limit && write_error_ == 0; ++i) {
    bool found = log_cursor_->seek(number(from));
    uint64_t revision = found ? read_number(log_cursor_->key()) : until;
    if (revision >= until) {
      from = until;
      break;
    }
    Record record;
    if (!read_record(log_cursor_->value(), record)) return fail(MDB_CORRUPTED);
    std::string key(record.key);  // what follows may move the page that it lies on
    uint64_t previous = record.previous;
    if (previous != 0) erase_version(key, previous);
    if (record.kind == LOTSE_STATE_DELETE) erase_version(key, revision);
    from = revision + 1;
  }
  if (log_cursor_->error() != 0) fail(log_cursor_->error());
  if (write_error_ != 0) return;
  if (int rc = put(txn_, env_->tables().meta, kMetaSwept, number(from)); rc != 0) fail(rc);
}

int64_t LmdbStorage::next_expiry_unix_ns() {
  if (expiry_known_ || env_ == nullptr) return expiry_;
  Environment::Read read(*env_);
  if (read.error() != 0) return expiry_;
  Cursor expiry(read.txn(), env_->tables().expiry);
  expiry_ = expiry.first() ? static_cast<int64_t>(read_number(expiry.key().substr(0, 8))) : 0;
  expiry_known_ = expiry.error() == 0;
  return expiry_;
}

std::vector<state::Due> LmdbStorage::due(int64_t unix_ns, size_t limit) {
  std::vector<state::Due> due;
  if (env_ == nullptr) return due;
  Environment::Read read(*env_);
  if (read.error() != 0) return due;
  Cursor expiry(read.txn(), env_->tables().expiry);
  for (bool found = expiry.first(); found && due.size() < limit; found = expiry.next()) {
    if (static_cast<int64_t>(read_number(expiry.key().substr(0, 8))) > unix_ns) break;
    std::string revision(expiry.key().substr(8));
    MDB_val key = val(revision), value{};
    Record record;
    if (mdb_get(read.txn(), env_->tables().log, &key, &value) != 0 || !read_record(view(value), record)) continue;
    due.push_back({std::string(record.key), read_number(revision)});
  }
  return due;
}

}  // namespace lotse::state_lmdb
