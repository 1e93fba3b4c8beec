#include "core/api/field_managers.h"

#include "core/base/clock.h"

namespace lotse::api {
namespace {

constexpr size_t kUpdatersMax = 10;
constexpr std::string_view kAncient = "ancient-changes";

int64_t seconds(const FieldManager& m) {
  const auto time = m.time.empty() ? Result<WallTime>(WallTime{}) : parse_time(m.time);
  return time.ok() ? std::chrono::duration_cast<std::chrono::seconds>(time->time_since_epoch()).count() : 0;
}

std::string quote(std::string_view s) { return json::write(json::Value(s)); }

}  // namespace

std::string FieldManager::described() const {
  std::string text = quote(name);
  if (!subresource.empty()) text += " with subresource " + quote(subresource);
  return applies() ? text : text + " using " + api_version;
}

std::optional<FieldManagers> FieldManagers::decode(json::Value managed_fields) {
  FieldManagers out;
  if (!managed_fields.is_array()) return out;
  for (auto& item : managed_fields.array_items()) {
    const json::Value& entry = item;
    FieldManager m{std::string(entry["manager"].str()),     std::string(entry["operation"].str()), std::string(entry["apiVersion"].str()),
                   std::string(entry["subresource"].str()), std::string(entry["time"].str()),      json::Value()};
    if (json::Value* fields = item.find("fieldsV1")) m.fields = std::move(*fields);
    const bool known = (m.applies() || m.operation == "Update") && entry["fieldsType"].str("FieldsV1") == "FieldsV1";
    if (m.fields.is_null()) m.fields = json::Value::object();
    if (!known || m.api_version.empty() || !schema::is_field_set(m.fields)) return std::nullopt;
    out.all_.push_back(std::move(m));
  }
  return out;
}

json::Value FieldManagers::encode() {
  std::vector<FieldManager*> order;
  for (auto& m : all_) order.push_back(&m);
  std::sort(order.begin(), order.end(), [](const FieldManager* a, const FieldManager* b) {
    return std::make_tuple(std::string_view(a->operation), seconds(*a), std::string_view(a->name), std::string_view(a->api_version), std::string_view(a->subresource)) <
           std::make_tuple(std::string_view(b->operation), seconds(*b), std::string_view(b->name), std::string_view(b->api_version), std::string_view(b->subresource));
  });
  json::Value out = json::Value::array();
  for (auto* m : order) {
    json::Value entry = json::Value::object({{"apiVersion", m->api_version}, {"fieldsType", "FieldsV1"}, {"manager", m->name}, {"operation", m->operation}});
    entry.set("fieldsV1", std::move(m->fields));
    if (!m->subresource.empty()) entry.set("subresource", m->subresource);
    if (!m->time.empty()) entry.set("time", m->time);
    out.push(std::move(entry));
  }
  return out;
}

FieldManager* FieldManagers::find(const FieldManager& who) {
  for (auto& m : all_) {
    if (m.same_as(who)) return &m;
  }
  return nullptr;
}

FieldManager& FieldManagers::at(const FieldManager& who) {
  if (FieldManager* found = find(who)) return *found;
  all_.push_back(who);
  all_.back().fields = json::Value::object();
  return all_.back();
}

void FieldManagers::drop_empty() {
  std::erase_if(all_, [](const FieldManager& m) { return !schema::has_fields(m.fields); });
}

void FieldManagers::cap() {
  auto updaters = static_cast<size_t>(std::count_if(all_.begin(), all_.end(), [](auto& m) { return !m.applies(); }));
  if (updaters <= kUpdatersMax) return;
  std::stable_sort(all_.begin(), all_.end(), [](const FieldManager& a, const FieldManager& b) { return seconds(a) < seconds(b); });
  // The first of a version stays as it is until a second one joins it.
  std::vector<FieldManager> merged;
  for (auto& m : all_) {
    FieldManager* first = nullptr;
    if (!m.applies() && updaters > kUpdatersMax) {
      for (auto& other : merged) {
        if (!other.applies() && other.api_version == m.api_version) first = first ? first : &other;
      }
    }
    if (!first) {
      merged.push_back(std::move(m));
      continue;
    }
    first->name = kAncient;
    first->subresource.clear();
    first->fields = schema::unite(first->fields, m.fields);
    first->time = m.time;
    --updaters;
  }
  all_ = std::move(merged);
}

}  // namespace lotse::api
