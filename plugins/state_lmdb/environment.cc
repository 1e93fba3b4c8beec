#include "plugins/state_lmdb/environment.h"

#include <sys/stat.h>

#include "plugins/state_lmdb/format.h"

namespace lotse::state_lmdb {

state::Status explain(const char* what, int rc) {
  int32_t code = LOTSE_UNAVAILABLE;
  switch (rc) {
    case 0:
      return {};
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case MDB_MAP_FULL:
      code = LOTSE_NO_SPACE;
      break;
    case EROFS:
    case EPERM:
    case EACCES:
      code = LOTSE_READ_ONLY;
      break;
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
      code = LOTSE_INTERNAL;
      break;
    default:
      break;
  }
  return {code, std::string(what) + ": " + mdb_strerror(rc)};
}

state::Status Environment::open(const std::string& path, size_t map_bytes, Mode mode,
                                std::unique_ptr<Environment>& out) {
  std::unique_ptr<Environment> made(new Environment);
  made->mode_ = mode;
  unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD;
  if (mode == Mode::kReadOnly) flags |= MDB_RDONLY;
  if (mode == Mode::kCreate) flags |= MDB_NOLOCK | MDB_NOSYNC;
  int rc = mdb_env_create(&made->env_);
  if (rc == 0) rc = mdb_env_set_maxdbs(made->env_, 8);
  if (rc == 0) rc = mdb_env_set_maxreaders(made->env_, 512);
  if (rc == 0) rc = mdb_env_set_mapsize(made->env_, map_bytes);
  if (rc == 0) rc = mdb_env_open(made->env_, path.c_str(), flags, 0600);
  if (rc == 0) rc = made->open_tables(mode == Mode::kCreate);
  if (rc != 0) return explain(("the store's file " + path + " could not be opened").c_str(), rc);
  MDB_stat stat{};
  mdb_env_stat(made->env_, &stat);
  made->page_size_ = stat.ms_psize;
  out = std::move(made);
  return {};
}

int Environment::open_tables(bool create) {
  MDB_txn* txn = nullptr;
  int rc = mdb_txn_begin(env_, nullptr, create ? 0 : MDB_RDONLY, &txn);
  if (rc != 0) return rc;
  unsigned flags = create ? MDB_CREATE : 0;
  rc = mdb_dbi_open(txn, kTableMeta, flags, &tables_.meta);
  if (rc == 0) rc = mdb_dbi_open(txn, kTableLog, flags, &tables_.log);
  if (rc == 0) rc = mdb_dbi_open(txn, kTableIndex, flags, &tables_.index);
  if (rc == 0) rc = mdb_dbi_open(txn, kTableExpiry, flags, &tables_.expiry);
  // Another format may have other tables: the version decides before their absence does.
  if (rc == MDB_NOTFOUND && tables_.meta != 0) rc = 0;
  if (rc != 0) {
    mdb_txn_abort(txn);
    return rc == MDB_NOTFOUND ? MDB_INVALID : rc;
  }
  return mdb_txn_commit(txn);
}

Environment::~Environment() {
  close_reads();
  if (env_ != nullptr) mdb_env_close(env_);
}

void Environment::close_reads() {
  for (MDB_txn* txn : reads_) mdb_txn_abort(txn);
  reads_.clear();
}

size_t Environment::used_bytes() const {
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  return (info.me_last_pgno + 1) * page_size_;
}

size_t Environment::map_bytes() const {
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  return info.me_mapsize;
}

int Environment::resize(size_t map_bytes) {
  close_reads();
  return mdb_env_set_mapsize(env_, map_bytes);
}

size_t Environment::free_pages() {
  Read read(*this);
  if (read.error() != 0) return 0;
  // Table 0 is LMDB's own list of free pages: transaction -> array, whose first element is its length.
  Cursor cursor(read.txn(), 0);
  size_t pages = 0;
  for (bool found = cursor.first(); found; found = cursor.next()) {
    size_t count = 0;
    memcpy(&count, cursor.value().data(), sizeof count);
    pages += count;
  }
  return pages;
}

bool Environment::lost() {
  Read read(*this);
  return read.error() == MDB_PANIC;
}

Environment::Read::Read(Environment& environment) : environment_(environment) {
  {
    std::lock_guard lock(environment_.mutex_);
    if (!environment_.reads_.empty()) {
      txn_ = environment_.reads_.back();
      environment_.reads_.pop_back();
    }
  }
  if (txn_ == nullptr) {
    error_ = mdb_txn_begin(environment_.env_, nullptr, MDB_RDONLY, &txn_);
  } else if (error_ = mdb_txn_renew(txn_); error_ != 0) {
    mdb_txn_abort(txn_);
    txn_ = nullptr;
  }
}

Environment::Read::~Read() {
  if (txn_ == nullptr) return;
  mdb_txn_reset(txn_);
  std::unique_lock lock(environment_.mutex_);
  if (environment_.reads_.size() < kReadsKept) {
    environment_.reads_.push_back(txn_);
  } else {
    lock.unlock();
    mdb_txn_abort(txn_);
  }
}

uint64_t meta_number(MDB_txn* txn, const Tables& tables, const char* name) {
  return read_number(meta_text(txn, tables, name));
}

std::string meta_text(MDB_txn* txn, const Tables& tables, const char* name) {
  MDB_val key = val(name), value{};
  return mdb_get(txn, tables.meta, &key, &value) == 0 ? std::string(view(value)) : std::string();
}

int put(MDB_txn* txn, MDB_dbi table, std::string_view key, std::string_view value) {
  MDB_val k = val(key), v = val(value);
  return mdb_put(txn, table, &k, &v, 0);
}

}  // namespace lotse::state_lmdb
