// A store's file that is being made aside, and takes its place by a rename once it is whole and on the disk.
#pragma once

#include "plugins/state_lmdb/environment.h"

namespace lotse::state_lmdb {

class NewFile : public state::Replacement {
 public:
  static constexpr char kSuffix[] = ".new";
  // `path` is where it is going to stand.
  static state::Status create(const std::string& path, std::unique_ptr<NewFile>& out);
  ~NewFile() override;

  state::Status add(const state::Entry& entry) override;
  // Writes the meta table and syncs. `revision` is the store's, and all below it counts as compacted.
  state::Status finish(uint64_t revision, const std::string& identity);
  // REQUIRES: finish, and nobody has the file at `path` open.
  state::Status put_in_place();
  state::Status seal(uint64_t revision, const std::string& identity) {
    state::Status status = finish(revision, identity);
    return status.ok() ? put_in_place() : status;
  }

 private:
  explicit NewFile(std::string path) : path_(std::move(path)) {}
  state::Status flush(size_t next_bytes);
  static constexpr size_t kBatchBytes = 8 * 1024 * 1024;
  static constexpr size_t kBatchEntries = 4096;

  const std::string path_;
  std::unique_ptr<Environment> env_;
  MDB_txn* txn_ = nullptr;
  size_t bytes_ = 0, entries_ = 0;
};

}  // namespace lotse::state_lmdb
