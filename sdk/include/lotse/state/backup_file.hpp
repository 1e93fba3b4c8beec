// SPDX-License-Identifier: Apache-2.0
//
// A backup file, written and read in a stream. Its form is that of abi/state_backup.h:
//
//   "LOTSEBAK" 0x01
//   {"revision": uint, "identity": str, "time": int (unix ns)}
//   [key: bin, value: bin, revision: uint]  or  [key, value, revision, expires: int (unix ns)]   ... in key order
//   {"entries": uint, "sha256": bin}        the digest of every byte before this map
//
// Needs libcrypto.
#ifndef LOTSE_STATE_BACKUP_FILE_HPP
#define LOTSE_STATE_BACKUP_FILE_HPP

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include <deque>
#include <lotse/state/storage.hpp>

namespace lotse::state {

inline constexpr std::string_view kBackupMagic{"LOTSEBAK\x01", 9};

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void update(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string digest() {
    std::string out(32, '\0');
    EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(out.data()), nullptr);
    return out;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

class BackupWriter {
 public:
  explicit BackupWriter(int fd) : fd_(fd) {}

  void head(uint64_t revision, std::string_view identity, int64_t unix_ns) {
    buffer_ += kBackupMagic;
    buffer_ += '\x83';
    text("revision"), number(revision);
    text("identity"), text(identity);
    text("time"), number(static_cast<uint64_t>(unix_ns));
  }
  Status entry(const Entry& entry) {
    buffer_ += entry.expires_unix_ns > 0 ? '\x94' : '\x93';
    binary(entry.key), binary(entry.value), number(entry.revision);
    if (entry.expires_unix_ns > 0) number(static_cast<uint64_t>(entry.expires_unix_ns));
    ++entries_;
    return buffer_.size() >= kBufferBytes ? flush() : Status{};
  }
  Status foot() {
    if (Status status = flush(); !status.ok()) return status;
    std::string digest = digest_.digest();
    buffer_ += '\x82';
    text("entries"), number(entries_);
    text("sha256"), binary(digest);
    return put(std::exchange(buffer_, {}));
  }

 private:
  static constexpr size_t kBufferBytes = 64 * 1024;

  void big_endian(uint64_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) buffer_ += static_cast<char>(value >> (8 * i));
  }
  void number(uint64_t value) { buffer_ += '\xcf', big_endian(value, 8); }
  void text(std::string_view value) { buffer_ += '\xd9', big_endian(value.size(), 1), buffer_ += value; }
  void binary(std::string_view value) { buffer_ += '\xc6', big_endian(value.size(), 4), buffer_ += value; }

  Status flush() {
    digest_.update(buffer_);
    return put(std::exchange(buffer_, {}));
  }
  Status put(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t wrote = ::write(fd_, bytes.data(), bytes.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) {
        int error = errno;
        return {error == ENOSPC || error == EDQUOT || error == EFBIG ? LOTSE_NO_SPACE : LOTSE_UNAVAILABLE,
                "the backup could not be written: " + std::string(strerror(error))};
      }
      bytes.remove_prefix(static_cast<size_t>(wrote));
    }
    return {};
  }

  int fd_;
  std::string buffer_;
  Sha256 digest_;
  uint64_t entries_ = 0;
};

// All entries as of a revision that somebody holds against the sweep.
inline Status write_entries(BackupWriter& file, Storage& storage, uint64_t revision) {
  struct Collected {
    std::string key, value;
    uint64_t revision;
    int64_t expires_unix_ns;
  };
  std::string start;
  for (;;) {
    // Collected first: no read transaction is held while the file is written.
    std::deque<Collected> chunk;
    RangeQuery query;
    query.start = start;
    query.revision = revision;
    query.pinned = true;
    RangeEnd end;
    Status status = storage.range(
        query,
        [&](const Entry& entry) {
          chunk.push_back({std::string(entry.key), std::string(entry.value), entry.revision, entry.expires_unix_ns});
          return true;
        },
        end);
    if (!status.ok()) return status;
    for (const Collected& c : chunk) {
      if (Status wrote = file.entry({c.key, c.value, c.revision, c.expires_unix_ns}); !wrote.ok()) return wrote;
    }
    if (!end.more || chunk.empty()) return {};
    start = chunk.back().key + '\0';
  }
}

// Reads the same, believing nothing: sizes are limits of the contract, keys must grow, the digest must match.
class BackupReader {
 public:
  explicit BackupReader(int fd) : fd_(fd) {}

  Status head(uint64_t& revision) {
    std::string magic, identity;
    uint64_t pairs = 0, time = 0;
    if (!take(kBackupMagic.size(), magic) || magic != kBackupMagic) return damaged("it is not a backup file");
    if (!map(pairs)) return damaged("its head is missing");
    for (uint64_t i = 0; i < pairs; ++i) {
      std::string name;
      if (!bytes(name, 64)) return damaged("its head is broken");
      bool good = name == "revision"   ? number(revision)
                  : name == "identity" ? bytes(identity, 256)
                  : name == "time"     ? number(time)
                                       : false;
      if (!good) return damaged("its head is broken");
    }
    if (revision == 0) return damaged("its head names no revision");
    revision_ = revision;
    return {};
  }

  // The next entry; `end` once the foot has been reached and checked.
  Status next(Entry& entry, bool& end) {
    if (peek() == 0x82) return foot(end);
    uint64_t fields = 0, revision = 0, expires = 0;
    previous_.swap(key_);
    if (!array(fields) || fields < 3 || fields > 4) return damaged("an entry is broken");
    if (!bytes(key_, LOTSE_STATE_KEY_MAX) || !bytes(value_, LOTSE_STATE_VALUE_MAX) || !number(revision) ||
        (fields == 4 && !number(expires))) {
      return damaged("an entry is broken or cut off");
    }
    if (key_.empty() || (entries_ > 0 && key_ <= previous_)) return damaged("its keys are not in order");
    if (revision == 0 || revision > revision_ || expires > INT64_MAX)
      return damaged("an entry's numbers are impossible");
    ++entries_;
    entry = {key_, value_, revision, static_cast<int64_t>(expires)};
    end = false;
    return {};
  }

 private:
  static Status damaged(const std::string& why) { return {LOTSE_INVALID, "the backup cannot be used: " + why}; }

  Status foot(bool& end) {
    hash_consumed();
    std::string expected = digest_.digest();
    hashing_ = false;
    uint64_t pairs = 0, entries = 0;
    std::string digest;
    if (!map(pairs) || pairs != 2) return damaged("its foot is broken");
    for (uint64_t i = 0; i < pairs; ++i) {
      std::string name;
      if (!bytes(name, 64)) return damaged("its foot is cut off");
      if (!(name == "entries" ? number(entries) : name == "sha256" && bytes(digest, 32))) {
        return damaged("its foot is broken or cut off");
      }
    }
    if (digest != expected) return damaged("its digest does not match what it holds");
    if (entries != entries_) return damaged("it does not hold as many entries as it says");
    end = true;
    return {};
  }

  bool map(uint64_t& pairs) { return small(0x80, pairs); }
  bool array(uint64_t& fields) { return small(0x90, fields); }
  bool small(int base, uint64_t& count) {
    int byte = take_byte();
    count = static_cast<uint64_t>(byte & 0x0f);
    return byte >= 0 && (byte & 0xf0) == base;
  }
  // Any unsigned form of MessagePack, as other writers may choose a shorter one.
  bool number(uint64_t& value) {
    int byte = take_byte();
    if (byte < 0) return false;
    if (byte <= 0x7f) return value = static_cast<uint64_t>(byte), true;
    if (byte < 0xcc || (byte > 0xcf && byte != 0xd3)) return false;
    bool good = big_endian(byte == 0xd3 ? 8 : 1 << (byte - 0xcc), value);
    return good && (byte != 0xd3 || value <= INT64_MAX);
  }
  bool bytes(std::string& out, size_t most) {
    int byte = take_byte();
    uint64_t size = 0;
    if (byte < 0) return false;
    if ((byte & 0xe0) == 0xa0)
      size = static_cast<uint64_t>(byte & 0x1f);
    else if (byte >= 0xc4 && byte <= 0xc6) {
      if (!big_endian(1 << (byte - 0xc4), size)) return false;
    } else if (byte >= 0xd9 && byte <= 0xdb) {
      if (!big_endian(1 << (byte - 0xd9), size)) return false;
    } else
      return false;
    return size <= most && take(size, out);
  }
  bool big_endian(int count, uint64_t& value) {
    value = 0;
    for (int i = 0; i < count; ++i) {
      int byte = take_byte();
      if (byte < 0) return false;
      value = value << 8 | static_cast<uint64_t>(byte);
    }
    return true;
  }

  int peek() { return consumed_ < buffer_.size() || fill() ? static_cast<unsigned char>(buffer_[consumed_]) : -1; }
  int take_byte() {
    int byte = peek();
    if (byte >= 0) ++consumed_;
    return byte;
  }
  bool take(size_t size, std::string& out) {
    out.clear();
    while (out.size() < size) {
      if (peek() < 0) return false;
      size_t part = std::min(size - out.size(), buffer_.size() - consumed_);
      out.append(buffer_, consumed_, part);
      consumed_ += part;
    }
    return true;
  }
  void hash_consumed() {
    if (hashing_) digest_.update(std::string_view(buffer_).substr(hashed_, consumed_ - hashed_));
    hashed_ = consumed_;
  }
  bool fill() {
    hash_consumed();
    buffer_.resize(64 * 1024);
    ssize_t got;
    do got = ::read(fd_, buffer_.data(), buffer_.size());
    while (got < 0 && errno == EINTR);
    buffer_.resize(got > 0 ? static_cast<size_t>(got) : 0);
    consumed_ = hashed_ = 0;
    return got > 0;
  }

  int fd_;
  std::string buffer_;
  size_t consumed_ = 0, hashed_ = 0;
  bool hashing_ = true;
  Sha256 digest_;
  uint64_t revision_ = 0, entries_ = 0;
  std::string key_, value_, previous_;
};

}  // namespace lotse::state
#endif
