// How the store lies in etcd: permanent, so README.md describes it too.
//
//   PREFIX m/record     what the store is: Record, in text
//   PREFIX m/compacted  the lowest revision that can still be read, decimal; absent: nothing was compacted
//   PREFIX d/GGGGGGGG/  data of generation G (hexadecimal), then the key as it is
//
// A restore fills the next generation and then writes the record, so that it happens in one step.
//
// A revision of the contract is etcd's, times 128, plus the change's place in its transaction, plus the record's
// offset: one transaction of etcd has one revision, and every change needs one of its own.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lotse::state_etcd {

inline constexpr uint64_t kPlaces = 128;       // etcd's own limit of operations in a transaction
inline constexpr size_t kOperationsMax = 100;  // that we put into one

struct Record {
  std::string id;
  uint64_t generation = 0;
  uint64_t base = 1;  // the store's revision when this generation began
  uint64_t offset = 0;
  // Not stored: etcd's revision at which the record was written.
  int64_t written = 0;

  std::string text() const;
  static std::optional<Record> parse(std::string_view text);

  uint64_t revision(int64_t etcd, uint64_t place) const {
    return static_cast<uint64_t>(etcd) * kPlaces + place + offset;
  }
  int64_t etcd_revision(uint64_t revision) const {
    return revision < offset ? 0 : static_cast<int64_t>((revision - offset) / kPlaces);
  }
};

class Layout {
 public:
  explicit Layout(std::string prefix) : prefix_(std::move(prefix)) {}
  std::string record() const { return prefix_ + "m/record"; }
  std::string compacted() const { return prefix_ + "m/compacted"; }
  std::string meta_start() const { return prefix_ + "m/"; }
  std::string meta_end() const { return prefix_ + "m0"; }
  std::string data_start(uint64_t generation) const;
  std::string data_end(uint64_t generation) const;

 private:
  std::string prefix_;
};

// A stored value: flags, place in its transaction, what the flags announce (8 bytes each, big-endian), the value
// itself.
struct StoredValue {
  uint64_t place = 0;
  uint64_t restored = 0;        // its revision, where it is not that of the transaction
  int64_t expires_unix_ns = 0;  // 0: never
  std::string_view value;

  static bool parse(std::string_view bytes, StoredValue& out);
  std::string bytes() const;
};

}  // namespace lotse::state_etcd
