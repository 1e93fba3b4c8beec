#include "core/store/key.h"

#include <mutex>

#include "core/object/json.h"

namespace lotse::store {
namespace {

constexpr char kObjects = 1;

std::string resource_prefix(uint16_t number) {
  return {kObjects, static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
}

}  // namespace

std::string encode_key(uint16_t number, std::string_view ns, std::string_view name) {
  std::string key = resource_prefix(number);
  key.reserve(key.size() + ns.size() + 1 + name.size());
  key.append(ns).push_back('\0');
  key.append(name);
  return key;
}

KeyRange object_range(uint16_t number, std::string_view ns) {
  KeyRange range{resource_prefix(number), {}};
  if (ns.empty()) {
    range.end = number == 0xffff ? std::string(1, kObjects + 1) : resource_prefix(static_cast<uint16_t>(number + 1));
    return range;
  }
  range.start.append(ns);
  range.end = range.start;
  range.start.push_back('\0');
  range.end.push_back('\1');
  return range;
}

KeyRange every_object() { return {std::string(1, kObjects), std::string(1, kObjects + 1)}; }

std::string key_after(std::string_view key) {
  std::string next(key);
  next.push_back('\0');
  return next;
}

bool decode_key(std::string_view key, DecodedKey* out) {
  if (key.size() < 4 || key[0] != kObjects) return false;
  const size_t end = key.find('\0', 3);
  if (end == std::string_view::npos) return false;
  out->number = static_cast<uint16_t>(static_cast<uint8_t>(key[1]) << 8 | static_cast<uint8_t>(key[2]));
  out->ns = key.substr(3, end - 3);
  out->name = key.substr(end + 1);
  return true;
}

uint16_t ResourceTable::number(std::string_view resource) const {
  std::shared_lock lock(mutex_);
  const auto it = numbers_.find(resource);
  return it == numbers_.end() ? 0 : it->second;
}

std::string ResourceTable::resource(uint16_t number) const {
  std::shared_lock lock(mutex_);
  const auto it = names_.find(number);
  return it == names_.end() ? std::string() : it->second;
}

uint64_t ResourceTable::revision() const {
  std::shared_lock lock(mutex_);
  return revision_;
}

void ResourceTable::clear() {
  std::unique_lock lock(mutex_);
  numbers_.clear();
  names_.clear();
  revision_ = 0;
}

Status ResourceTable::load(std::string_view text, uint64_t revision) {
  LOTSE_TRY(const json::Value table, json::parse(text));
  std::unique_lock lock(mutex_);
  if (revision < revision_) return {};
  for (const auto& [name, number] : table.members()) {
    const int64_t n = number.integer();
    if (n < 1 || n > 0xffff) return {Reason::kInternalError, "the table of resources holds a number out of range for " + name};
    numbers_[name] = static_cast<uint16_t>(n);
    names_[static_cast<uint16_t>(n)] = name;
  }
  revision_ = revision;
  return {};
}

std::string ResourceTable::with(const std::vector<std::string>& resources) const {
  std::shared_lock lock(mutex_);
  json::Value table = json::Value::object();
  int64_t highest = 0;
  for (const auto& [name, number] : numbers_) {
    table.set(name, static_cast<int64_t>(number));
    highest = std::max<int64_t>(highest, number);
  }
  for (const auto& name : resources) {
    if (!table.has(name)) table.set(name, ++highest);
  }
  return json::write(table);
}

}  // namespace lotse::store
