// Opening, growing and opening again: everything that changes what the readers read from.
#include <sys/stat.h>
#include <unistd.h>

#include <lotse/state/identity.hpp>

#include "plugins/state_lmdb/lmdb_storage.h"
#include "plugins/state_lmdb/new_file.h"

namespace lotse::state_lmdb {
namespace {
constexpr std::chrono::milliseconds kReopenPause{200};
}  // namespace

LmdbStorage::LmdbStorage(const Options& options, Notices notices)
    : options_(options), notices_(std::move(notices)), space_(path(), options.reserve_bytes) {}

LmdbStorage::~LmdbStorage() {
  if (txn_ != nullptr) abort();
}

state::Status LmdbStorage::open(const Options& options, Notices notices, std::unique_ptr<LmdbStorage>& out) {
  std::unique_ptr<LmdbStorage> made(new LmdbStorage(options, std::move(notices)));
  if (state::Status status = made->lock_.take(options.directory); !status.ok()) return status;
  if (state::Status status = made->create_if_missing(); !status.ok()) return status;
  if (state::Status status = made->open_generation(); !status.ok()) return status;
  out = std::move(made);
  return {};
}

// The file appears under its name only when it is whole, so that a cut while it is made leaves nothing behind that
// could not be opened.
state::Status LmdbStorage::create_if_missing() {
  struct stat found {};
  std::string aside = path() + NewFile::kSuffix;
  if (stat(path().c_str(), &found) == 0) {
    unlink(aside.c_str());  // of a restore that did not come to its end
    return {};
  }
  if (errno != ENOENT) return explain(("the store's file " + path() + " could not be found").c_str(), errno);
  std::unique_ptr<NewFile> file;
  if (state::Status status = NewFile::create(path(), file); !status.ok()) return status;
  return file->seal(1, state::new_identity());
}

// REQUIRES: nobody reads, env_ is null.
state::Status LmdbStorage::open_generation() {
  opened_at_ = std::chrono::steady_clock::now();
  struct stat found {};
  size_t map = options_.first_map_bytes;
  if (stat(path().c_str(), &found) == 0) map = std::max<size_t>(map, 2 * static_cast<size_t>(found.st_size));
  map = std::min<size_t>(map, options_.size_limit_bytes + options_.reserve_bytes);
  auto mode = Environment::Mode::kWrite;
  // What cannot be written to can still be read: the next batches try again.
  unwritable_ = settle(path(), static_cast<size_t>(sysconf(_SC_PAGESIZE)));
  if (unwritable_.ok()) unwritable_ = set_aside_lock_file(path() + "-lock");
  if (!unwritable_.ok()) mode = Environment::Mode::kReadOnly;
  state::Status opened = Environment::open(path(), map, mode, env_);
  if (!opened.ok()) return opened;
  space_.forget();
  if (state::Status status = load(); !status.ok()) {
    env_.reset();
    return status;
  }
  return {};
}

// Checks the format and finds the revision.
state::Status LmdbStorage::load() {
  Environment::Read read(*env_);
  if (read.error() != 0) return explain("the store's file could not be read", read.error());
  uint64_t format = meta_number(read.txn(), env_->tables(), kMetaFormat);
  if (format != kFormat) {
    return {LOTSE_UNSUPPORTED, "the store's file " + path() + " is of format " + std::to_string(format) +
                                   ", and this plugin knows format " + std::to_string(kFormat) +
                                   " only: start the version of Lotse that wrote it"};
  }
  revision_ = meta_number(read.txn(), env_->tables(), kMetaBase);
  Cursor log(read.txn(), env_->tables().log);
  if (log.last()) revision_ = std::max(revision_, read_number(log.key()));
  expiry_known_ = false;
  if (log.error() != 0) return explain("the store's file could not be read", log.error());
  return {};
}

state::Status LmdbStorage::reopen() {
  Gate::Closed closed(gate_);
  env_.reset();
  return open_generation();
}

// An environment that can be written to, if there is one to be had.
state::Status LmdbStorage::ready_to_write() {
  bool usable = env_ != nullptr && env_->mode() == Environment::Mode::kWrite;
  if (usable) return {};
  if (std::chrono::steady_clock::now() - opened_at_ >= kReopenPause) {
    if (state::Status status = reopen(); !status.ok()) return status;
  }
  if (env_ == nullptr) return {LOTSE_UNAVAILABLE, "the store's file is being opened again"};
  return unwritable_;
}

// Makes the map large enough for `ahead` more, as far as the limit allows. False: it could not be mapped.
bool LmdbStorage::grow(size_t used_bytes, size_t ahead_bytes) {
  size_t most = std::max<size_t>(options_.size_limit_bytes, used_bytes) + options_.reserve_bytes;
  size_t now = env_->map_bytes();
  // Half of the reserve on top: the limit is kept by begin(), not by the map.
  size_t wanted = std::min(most, used_bytes + ahead_bytes + options_.reserve_bytes / 2);
  if (wanted <= now) return true;
  size_t map = now;
  while (map < wanted) map = std::min(most, map * 2);
  Gate::Closed closed(gate_);
  if (env_->resize(map) == 0) return true;
  env_.reset();  // without a map it is of no use
  return open_generation().ok();
}

// After a commit that failed. What LMDB was doing decides what is known: before the meta page was written nothing has
// happened; after it the file is settled and read again.
state::Committed LmdbStorage::failed(int rc) {
  uint64_t before = revision_;
  uint64_t after = batch_revision_;
  bool lost = env_->lost();
  state::Status why = explain("the batch could not be written", rc);
  if (rc == EIO && space_.disk_full()) why.code = LOTSE_NO_SPACE;  // LMDB calls a short write EIO
  notices_.warn("commit.failed", why.message);
  state::Status opened = reopen();
  tell(why);
  if (!lost) return {state::CommitResult::kFailed, why};
  if (!opened.ok() || env_->mode() != Environment::Mode::kWrite) {
    return {state::CommitResult::kUnknown, {LOTSE_UNKNOWN, "the batch may or may not have been written"}};
  }
  if (after != 0 && revision_ == after && after != before) return {state::CommitResult::kDone, {}};
  return {state::CommitResult::kFailed, why};
}

// Raises the fault while writes are refused, clears it when they are taken again.
void LmdbStorage::tell(const state::Status& status) {
  if (status.ok()) {
    if (told_) notices_.clear();
    told_ = false;
    return;
  }
  if (!told_) {
    const char* reason = status.code == LOTSE_NO_SPACE    ? "StoreFull"
                         : status.code == LOTSE_READ_ONLY ? "StoreReadOnly"
                                                          : "StoreUnavailable";
    notices_.raise(reason, status.message);
  }
  told_ = true;
}

state::Status LmdbStorage::prepare(std::unique_ptr<state::Replacement>& replacement) {
  std::unique_ptr<NewFile> file;
  if (state::Status status = NewFile::create(path(), file); !status.ok()) return status;
  replacement = std::move(file);
  return {};
}

state::Status LmdbStorage::replace(std::unique_ptr<state::Replacement> replacement, uint64_t revision) {
  auto& file = static_cast<NewFile&>(*replacement);
  if (state::Status status = file.finish(revision, state::new_identity()); !status.ok()) return status;
  Gate::Closed closed(gate_);
  env_.reset();
  state::Status put = file.put_in_place();
  state::Status opened = open_generation();
  return put.ok() ? opened : put;
}

}  // namespace lotse::state_lmdb
