// The bytes of the store's tables. Permanent: README.md says the same in words, and an unknown format is refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lotse::state_lmdb {

inline constexpr uint32_t kFormat = 1;
inline constexpr char kFileName[] = "store.mdb";

inline constexpr char kTableMeta[] = "meta";
inline constexpr char kTableLog[] = "log";
inline constexpr char kTableIndex[] = "index";
inline constexpr char kTableExpiry[] = "expiry";

inline constexpr char kMetaFormat[] = "format";        // 4 bytes
inline constexpr char kMetaIdentity[] = "identity";    // text
inline constexpr char kMetaBase[] = "base";            // 8 bytes: the revision of a store whose log is empty
inline constexpr char kMetaCompacted[] = "compacted";  // 8 bytes
inline constexpr char kMetaSwept[] = "swept";          // 8 bytes

// All numbers are big-endian, so that their order is that of the bytes.
void append_number(std::string& out, uint64_t value, int bytes = 8);
uint64_t read_number(std::string_view bytes);  // of at most 8 bytes
inline std::string number(uint64_t value) {
  std::string out;
  append_number(out, value);
  return out;
}

// A record of the log.
struct Record {
  uint32_t kind = 0;
  uint64_t previous = 0;
  int64_t expires_unix_ns = 0;
  std::string_view key;
  std::string_view value;
};
size_t record_size(const Record& record);
void write_record(const Record& record, char* out);  // record_size bytes
bool read_record(std::string_view bytes, Record& record);

// A key as the index has it, without the revision that follows. Up to kPlainMax escaped bytes it is the escaped key
// and 00 01; what is longer is cut, and 00 02 and 16 bytes of the whole key's SHA-256 follow.
inline constexpr size_t kPlainMax = 480;
inline constexpr std::string_view kPlainEnd{"\x00\x01", 2};
inline constexpr std::string_view kHashedEnd{"\x00\x02", 2};
inline constexpr size_t kHashBytes = 16;
std::string index_prefix(std::string_view key);
// The place in the index from which on keys >= start can stand (with some lower ones, if start is hashed).
std::string index_start(std::string_view start);

struct IndexKey {
  std::string_view prefix;  // all but the revision
  std::string_view group;   // of a hashed key: up to and including 00 02; empty for a plain one
  uint64_t revision = 0;
};
bool read_index_key(std::string_view bytes, IndexKey& key);
// REQUIRES: a plain key.
void unescape(std::string_view prefix, std::string& key);

// The value in the index: the operation, and whether the version expires.
inline constexpr char kIndexKindMask = 0x03;
inline constexpr char kIndexExpires = 0x10;

}  // namespace lotse::state_lmdb
