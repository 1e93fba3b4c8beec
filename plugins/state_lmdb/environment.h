// One opened LMDB file: the handle, its tables, and read transactions to be used again.
//
// An Environment is a generation: it is never repaired, but closed and replaced by another (see LmdbStorage). Threads:
// read() from any, everything else from the one that owns it while nobody reads.
#pragma once

#include <lmdb.h>

#include <lotse/state/storage.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace lotse::state_lmdb {

inline std::string_view view(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}
inline MDB_val val(std::string_view bytes) {
  return {bytes.size(), const_cast<char*>(bytes.data())};
}

// The ABI's code for what LMDB or the system said (rc as LMDB returns it), with the sentence.
state::Status explain(const char* what, int rc);

struct Tables {
  MDB_dbi meta = 0, log = 0, index = 0, expiry = 0;
};

class Environment {
 public:
  enum class Mode {
    kWrite,
    kReadOnly,  // the file cannot be written to at the moment
    kCreate     // a new file aside: no lock, no sync until sync()
  };
  static state::Status open(const std::string& path, size_t map_bytes, Mode mode, std::unique_ptr<Environment>& out);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  MDB_env* env() const { return env_; }
  const Tables& tables() const { return tables_; }
  Mode mode() const { return mode_; }
  size_t page_size() const { return page_size_; }
  size_t used_bytes() const;  // up to the last page ever used
  size_t map_bytes() const;
  size_t free_pages();           // pages within the used ones that hold nothing
  int resize(size_t map_bytes);  // REQUIRES: no transaction is open
  int sync() { return mdb_env_sync(env_, 1); }
  // A write transaction and its cursors cannot begin any more: LMDB has lost track of what is on the disk.
  bool lost();

  // A read transaction; given back by its destructor. Bounded work only.
  class Read {
   public:
    explicit Read(Environment& environment);
    ~Read();
    Read(const Read&) = delete;
    Read& operator=(const Read&) = delete;
    int error() const { return error_; }
    MDB_txn* txn() const { return txn_; }

   private:
    Environment& environment_;
    MDB_txn* txn_ = nullptr;
    int error_ = 0;
  };

 private:
  Environment() = default;
  int open_tables(bool create);
  void close_reads();

  static constexpr size_t kReadsKept = 16;
  MDB_env* env_ = nullptr;
  Mode mode_ = Mode::kWrite;
  size_t page_size_ = 4096;
  Tables tables_;
  std::mutex mutex_;
  std::vector<MDB_txn*> reads_;  // reset ones
};

// A cursor that closes itself. In a write transaction it must go before the transaction.
class Cursor {
 public:
  Cursor(MDB_txn* txn, MDB_dbi table) { error_ = mdb_cursor_open(txn, table, &cursor_); }
  ~Cursor() {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
  }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  // False at the end or on an error; key() and value() are borrowed from the transaction.
  bool seek(std::string_view at) {  // the first >= at
    key_ = val(at);
    return move(MDB_SET_RANGE);
  }
  bool first() { return move(MDB_FIRST); }
  bool last() { return move(MDB_LAST); }
  bool next() { return move(MDB_NEXT); }
  bool previous() { return move(MDB_PREV); }
  std::string_view key() const { return view(key_); }
  std::string_view value() const { return view(value_); }
  int error() const { return error_; }
  MDB_cursor* raw() const { return cursor_; }

 private:
  bool move(MDB_cursor_op op) {
    if (cursor_ == nullptr) return false;
    int rc = mdb_cursor_get(cursor_, &key_, &value_, op);
    if (rc != 0 && rc != MDB_NOTFOUND) error_ = rc;
    return rc == 0;
  }
  MDB_cursor* cursor_ = nullptr;
  MDB_val key_{}, value_{};
  int error_ = 0;
};

// A number of the meta table; 0 where there is none.
uint64_t meta_number(MDB_txn* txn, const Tables& tables, const char* name);
std::string meta_text(MDB_txn* txn, const Tables& tables, const char* name);
int put(MDB_txn* txn, MDB_dbi table, std::string_view key, std::string_view value);

}  // namespace lotse::state_lmdb
