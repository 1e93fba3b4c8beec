#include "plugins/state_lmdb/format.h"

#include <lotse/abi/state.h>
#include <openssl/sha.h>

#include <cstring>

namespace lotse::state_lmdb {
namespace {
constexpr char kRecordExpires = 0x01;
constexpr size_t kRecordHead = 12;

std::string escaped(std::string_view key) {
  std::string out;
  out.reserve(key.size() + 16);
  for (char c : key) {
    out += c;
    if (c == '\0') out += '\xff';
  }
  return out;
}

// The escaped key up to where it is cut: never between the two bytes of an escape.
std::string cut(std::string escaped_key) {
  size_t zeros_end = kPlainMax;
  bool splits = escaped_key[zeros_end - 1] == '\0' && escaped_key[zeros_end] == '\xff';
  escaped_key.resize(splits ? zeros_end - 1 : zeros_end);
  return escaped_key;
}
}  // namespace

void append_number(std::string& out, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
}

uint64_t read_number(std::string_view bytes) {
  uint64_t value = 0;
  for (char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

size_t record_size(const Record& record) {
  return kRecordHead + (record.expires_unix_ns != 0 ? 8 : 0) + record.key.size() + record.value.size();
}

void write_record(const Record& record, char* out) {
  std::string head;
  head += static_cast<char>(record.kind);
  head += record.expires_unix_ns != 0 ? kRecordExpires : '\0';
  append_number(head, record.key.size(), 2);
  append_number(head, record.previous);
  if (record.expires_unix_ns != 0) append_number(head, static_cast<uint64_t>(record.expires_unix_ns));
  memcpy(out, head.data(), head.size());
  out += head.size();
  memcpy(out, record.key.data(), record.key.size());
  out += record.key.size();
  if (!record.value.empty()) memcpy(out, record.value.data(), record.value.size());
}

bool read_record(std::string_view bytes, Record& record) {
  if (bytes.size() < kRecordHead) return false;
  record.kind = static_cast<unsigned char>(bytes[0]);
  bool expires = (bytes[1] & kRecordExpires) != 0;
  size_t key_size = read_number(bytes.substr(2, 2));
  record.previous = read_number(bytes.substr(4, 8));
  bytes.remove_prefix(kRecordHead);
  record.expires_unix_ns = 0;
  if (expires) {
    if (bytes.size() < 8) return false;
    record.expires_unix_ns = static_cast<int64_t>(read_number(bytes.substr(0, 8)));
    bytes.remove_prefix(8);
  }
  if (bytes.size() < key_size) return false;
  record.key = bytes.substr(0, key_size);
  record.value = bytes.substr(key_size);
  return record.kind == LOTSE_STATE_PUT || record.kind == LOTSE_STATE_DELETE;
}

std::string index_prefix(std::string_view key) {
  std::string out = escaped(key);
  if (out.size() <= kPlainMax) return out.append(kPlainEnd);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest);
  out = cut(std::move(out));
  return out.append(kHashedEnd).append(reinterpret_cast<const char*>(digest), kHashBytes);
}

std::string index_start(std::string_view start) {
  std::string out = escaped(start);
  if (out.size() <= kPlainMax) return out.append(kPlainEnd);
  return cut(std::move(out)).append(kHashedEnd);
}

bool read_index_key(std::string_view bytes, IndexKey& key) {
  if (bytes.size() < 8 + kPlainEnd.size()) return false;
  key.revision = read_number(bytes.substr(bytes.size() - 8));
  key.prefix = bytes.substr(0, bytes.size() - 8);
  key.group = {};
  // 00 is followed by ff within a key, by 01 or 02 at its end: the first such place decides.
  for (size_t at = 0; (at = key.prefix.find('\0', at)) != std::string_view::npos; at += 2) {
    if (at + 1 >= key.prefix.size()) return false;
    if (key.prefix[at + 1] == '\x01') return at + 2 == key.prefix.size();
    if (key.prefix[at + 1] == '\x02') {
      key.group = key.prefix.substr(0, at + 2);
      return at + 2 + kHashBytes == key.prefix.size();
    }
  }
  return false;
}

void unescape(std::string_view prefix, std::string& key) {
  key.clear();
  prefix.remove_suffix(kPlainEnd.size());
  while (!prefix.empty()) {
    size_t zero = prefix.find('\0');
    size_t part = zero == std::string_view::npos ? prefix.size() : zero + 1;
    key.append(prefix.substr(0, part));
    prefix.remove_prefix(zero == std::string_view::npos ? part : part + 1);
  }
}

}  // namespace lotse::state_lmdb
