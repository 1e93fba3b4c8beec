// Keys as the backend sees them. Permanent: written down in core/store/README.md.
//
//   0x00 "cluster"                      the cluster's record (record.h)
//   0x00 "resources"                    the table of resource numbers
//   0x01 N N namespace 0x00 name        an object; N N is its resource's number, big-endian
//
// As no name contains a NUL, the order of keys is: resource, namespace, name.
#pragma once
#include <cstdint>
#include <map>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/result.h"

namespace lotse::store {

inline const std::string kClusterKey{"\0cluster", 8};
inline const std::string kResourcesKey{"\0resources", 10};

struct KeyRange {
  std::string start, end;  // [start, end)
};
struct DecodedKey {
  uint16_t number = 0;
  std::string_view ns, name;
};

std::string encode_key(uint16_t number, std::string_view ns, std::string_view name);
KeyRange object_range(uint16_t number, std::string_view ns);  // ns empty: the whole resource
KeyRange every_object();
std::string key_after(std::string_view key);                  // the first key behind it
bool decode_key(std::string_view key, DecodedKey* out);       // false: not an object's key

// Which number stands for which resource. Numbers are given once and stay. [any thread]
class ResourceTable {
 public:
  uint16_t number(std::string_view resource) const;  // 0: it has none yet
  std::string resource(uint16_t number) const;       // "": unknown
  // From the stored text; what is known stays as it is.
  Status load(std::string_view text, uint64_t revision);
  // The stored text with numbers for these resources added to what is known.
  std::string with(const std::vector<std::string>& resources) const;
  void clear();               // before another store's table is loaded
  uint64_t revision() const;  // the backend's revision of the stored text, 0: none

 private:
  mutable std::shared_mutex mutex_;
  std::map<std::string, uint16_t, std::less<>> numbers_;
  std::unordered_map<uint16_t, std::string> names_;
  uint64_t revision_ = 0;
};

}  // namespace lotse::store
