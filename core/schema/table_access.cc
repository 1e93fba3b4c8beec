#include "core/schema/table.h"

namespace lotse::schema {
namespace {

const table::Extra* extra(const FieldInfo& f) {
  return f.extra_ == table::kNone ? nullptr : &table::kExtras[f.extra_];
}

}  // namespace

std::string_view Text::view() const {
  return {table::kPool + offset, size};
}

bool Words::contains(std::string_view word) const {
  for (std::string_view w : *this) {
    if (w == word) return true;
  }
  return false;
}

const TypeInfo* FieldInfo::type() const {
  return type_ == table::kNone ? nullptr : &table::kTypes[type_];
}
std::string_view FieldInfo::patch_merge_key() const {
  return extra(*this) ? extra(*this)->merge_key.view() : std::string_view();
}
std::string_view FieldInfo::fallback() const {
  return extra(*this) ? extra(*this)->fallback.view() : std::string_view();
}
Words FieldInfo::list_keys() const {
  auto* e = extra(*this);
  return e ? Words(table::kWords + e->keys, e->key_count) : Words(nullptr, 0);
}
Words FieldInfo::choices() const {
  auto* e = extra(*this);
  return e ? Words(table::kWords + e->choices, e->choice_count) : Words(nullptr, 0);
}

std::span<const FieldInfo> TypeInfo::fields() const {
  return {table::kFields + first_, count_};
}
const FieldInfo* TypeInfo::field(std::string_view name) const {
  auto all = fields();
  auto it = std::lower_bound(all.begin(), all.end(), name, [](auto& f, std::string_view n) { return f.name() < n; });
  return it != all.end() && it->name() == name ? &*it : nullptr;
}

bool ResourceInfo::has_status() const {
  return subresource("status") != nullptr;
}
const SubresourceInfo* ResourceInfo::subresource(std::string_view name) const {
  for (const SubresourceInfo& s : subresources) {
    if (s.name == name) return &s;
  }
  return nullptr;
}
std::string ResourceInfo::api_version() const {
  return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
}

std::span<const ResourceInfo* const> all() {
  return {table::kServed, table::kServedCount};
}

const ResourceInfo* find(std::string_view group, std::string_view version, std::string_view resource) {
  for (const ResourceInfo* r : all()) {
    if (r->resource == resource && r->group == group && r->version == version) return r;
  }
  return nullptr;
}

const ResourceInfo* find_kind(std::string_view group, std::string_view version, std::string_view kind) {
  for (size_t i = 0; i < table::kResourceCount; ++i) {
    const ResourceInfo& r = table::kResources[i];
    if (r.kind == kind && r.group == group && r.version == version) return &r;
  }
  return nullptr;
}

const ResourceInfo* find_kind(std::string_view api_version, std::string_view kind) {
  const size_t slash = api_version.find('/');
  if (slash == api_version.npos) return find_kind("", api_version, kind);
  return find_kind(api_version.substr(0, slash), api_version.substr(slash + 1), kind);
}

const TypeInfo* find_type(std::string_view name) {
  auto* end = table::kTypes + table::kTypeCount;
  auto* it = std::lower_bound(table::kTypes, end, name, [](auto& t, std::string_view n) { return t.name() < n; });
  return it != end && it->name() == name ? it : nullptr;
}

}  // namespace lotse::schema
