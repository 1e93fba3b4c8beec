// Index: what is asked for all the time and must not read values: how many objects there are, who owns whom, which pods
// a node has. An object without owner and node costs nothing here: 100,000 ConfigMaps take a counter. [any thread]
#pragma once
#include <map>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/store/store.h"

namespace lotse::store {

class Index {
 public:
  void clear();
  // From stored bytes at the start: reads the header only where it may matter.
  void load(std::string_view resource, std::string_view ns, std::string_view name, std::string_view key, std::string_view bytes);
  // A change: `before` and `after` null where there is none.
  void change(const Key& key, std::string_view encoded, const Object* before, const Object* after);
  size_t count(const ResourceName& resource, const std::string& ns) const;
  // Encoded keys, in order.
  std::vector<std::string> owned_by(const std::string& uid) const;
  std::vector<std::string> on_node(const std::string& node) const;

 private:
  using Keys = std::set<std::string, std::less<>>;
  using Places = std::unordered_map<std::string, Keys>;
  void add(std::string_view resource, std::string_view encoded, const ObjectHeader& header);
  void remove(std::string_view resource, std::string_view encoded, const ObjectHeader& header);
  void count_up(const ResourceName& resource, const std::string& ns, int by);

  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, std::map<std::string, size_t>> counts_;  // resource -> namespace -> objects
  Places owned_, on_node_;
};

}  // namespace lotse::store
