#include "plugins/state_lmdb/new_file.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "plugins/state_lmdb/format.h"
#include "plugins/state_lmdb/space.h"

namespace lotse::state_lmdb {
namespace {
constexpr size_t kMapBytes = 64 * 1024 * 1024;
constexpr size_t kRoomBytes = 48 * 1024 * 1024;  // more than a batch and its tables' pages can need
constexpr char kFailed[] = "the store's new file could not be written";
}  // namespace

state::Status NewFile::create(const std::string& path, std::unique_ptr<NewFile>& out) {
  std::unique_ptr<NewFile> made(new NewFile(path));
  unlink((path + kSuffix).c_str());
  state::Status status = Environment::open(path + kSuffix, kMapBytes, Environment::Mode::kCreate, made->env_);
  if (!status.ok()) return status;
  out = std::move(made);
  return {};
}

NewFile::~NewFile() {
  if (txn_ != nullptr) mdb_txn_abort(txn_);
  if (env_ == nullptr) return;
  env_.reset();
  unlink((path_ + kSuffix).c_str());
}

state::Status NewFile::flush(size_t next_bytes) {
  if (txn_ != nullptr && (bytes_ + next_bytes > kBatchBytes || entries_ >= kBatchEntries)) {
    int rc = mdb_txn_commit(std::exchange(txn_, nullptr));
    bytes_ = entries_ = 0;
    if (rc != 0) return explain(kFailed, rc);
  }
  if (txn_ != nullptr) return {};
  size_t used = env_->used_bytes();
  int rc = used + kRoomBytes > env_->map_bytes() ? env_->resize(2 * env_->map_bytes()) : 0;
  if (rc == 0) rc = mdb_txn_begin(env_->env(), nullptr, 0, &txn_);
  return explain(kFailed, rc);
}

state::Status NewFile::add(const state::Entry& entry) {
  Record record{LOTSE_STATE_PUT, 0, entry.expires_unix_ns, entry.key, entry.value};
  size_t size = record_size(record);
  if (state::Status status = flush(size); !status.ok()) return status;
  std::string revision = number(entry.revision);
  MDB_val key = val(revision), data{size, nullptr};
  int rc = mdb_put(txn_, env_->tables().log, &key, &data, MDB_NOOVERWRITE | MDB_RESERVE);
  if (rc == MDB_KEYEXIST) return {LOTSE_INVALID, "the backup cannot be used: two of its keys share a revision"};
  if (rc == 0) {
    write_record(record, static_cast<char*>(data.mv_data));
    char flags = static_cast<char>(LOTSE_STATE_PUT | (entry.expires_unix_ns != 0 ? kIndexExpires : 0));
    rc = put(txn_, env_->tables().index, index_prefix(entry.key) + revision, {&flags, 1});
  }
  if (rc == 0 && entry.expires_unix_ns != 0) {
    rc = put(txn_, env_->tables().expiry, number(static_cast<uint64_t>(entry.expires_unix_ns)) + revision, {});
  }
  bytes_ += size;
  ++entries_;
  return explain(kFailed, rc);
}

state::Status NewFile::finish(uint64_t revision, const std::string& identity) {
  if (state::Status status = flush(0); !status.ok()) return status;
  MDB_dbi meta = env_->tables().meta;
  std::string format;
  append_number(format, kFormat, 4);
  int rc = put(txn_, meta, kMetaFormat, format);
  if (rc == 0) rc = put(txn_, meta, kMetaIdentity, identity);
  for (const char* name : {kMetaBase, kMetaCompacted, kMetaSwept}) {
    if (rc == 0) rc = put(txn_, meta, name, number(revision));
  }
  if (rc == 0) rc = mdb_txn_commit(std::exchange(txn_, nullptr));
  if (rc == 0) rc = env_->sync();
  return explain(kFailed, rc);
}

state::Status NewFile::put_in_place() {
  env_.reset();
  if (rename((path_ + kSuffix).c_str(), path_.c_str()) != 0) {
    int rc = errno;
    unlink((path_ + kSuffix).c_str());
    return explain("the store's new file could not take its place", rc);
  }
  return sync_directory(path_.substr(0, path_.rfind('/')));
}

}  // namespace lotse::state_lmdb
