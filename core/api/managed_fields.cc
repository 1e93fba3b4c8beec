#include "core/api/managed_fields.h"

#include "core/api/body.h"
#include "core/api/change.h"
#include "core/api/field_managers.h"
#include "core/api/server_impl.h"

namespace lotse::api {
namespace {

using json::Value;
using schema::FieldSet;

constexpr size_t kNameMax = 128;
constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

// What stands before the first slash of the User-Agent.
std::string manager_name(const Request& r) {
  if (const std::string_view given = r.option("fieldManager"); !given.empty()) return std::string(given);
  std::string name;
  for (const char c : r.user_agent.substr(0, r.user_agent.find('/'))) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && name.size() < kNameMax) name.push_back(c);
  }
  return name;
}

FieldManager whoever_calls(const Call& call, std::string_view operation) {
  return {manager_name(call.request), std::string(operation), call.resource->api_version(), call.request.subresource, now_text(call.server), Value::object()};
}

FieldSet one_field(std::initializer_list<std::string_view> path) {
  FieldSet set = Value::object();
  for (auto step = std::rbegin(path); step != std::rend(path); ++step) set = Value::object({{"f:" + std::string(*step), std::move(set)}});
  return set;
}

// What this way of writing cannot change, so nobody owns it by having written it.
FieldSet not_written(const Call& call) {
  const std::string_view sub = call.request.subresource;
  if (sub.empty()) return call.resource->has_status() ? one_field({"status"}) : Value::object();
  if (sub != "status") return Value::object();
  FieldSet set = one_field({"spec"});
  if (call.resource->kind == "Deployment") set = schema::unite(set, one_field({"metadata", "labels"}));
  if (call.resource->kind == "Pod") {
    set = schema::unite(set, one_field({"metadata", "deletionTimestamp"}));
    set = schema::unite(set, one_field({"metadata", "ownerReferences"}));
  }
  return set;
}

// An empty list, or one empty entry: the client wants no managed fields.
bool is_reset(const Value& given) { return given.is_array() && (given.empty() || (given.size() == 1 && given.at(0).empty())); }

FieldManagers decoded(Value managed_fields) {
  auto managers = FieldManagers::decode(std::move(managed_fields));
  return managers ? *std::move(managers) : FieldManagers();
}

void put(Value* object, Value managed_fields) {
  Value& metadata = (*object)["metadata"];
  if (managed_fields.empty()) {
    metadata.erase("managedFields");
  } else {
    metadata.set("managedFields", std::move(managed_fields));
  }
}

// The changes, as far as this way of writing can make them.
schema::FieldChanges changes_of(const Call& call, const Value* old, const Value& now) {
  auto changes = schema::compare_fields(*call.resource->type, old, now);
  if (changes.none()) return changes;
  if (call.request.subresource.empty()) {
    if (call.resource->has_status()) {
      for (FieldSet* set : {&changes.removed, &changes.modified, &changes.added}) set->erase("f:status");
    }
    return changes;
  }
  const FieldSet ignored = not_written(call);
  if (!schema::has_fields(ignored)) return changes;
  return {schema::subtract_deep(changes.removed, ignored), schema::subtract_deep(changes.modified, ignored), schema::subtract_deep(changes.added, ignored)};
}

struct Conflict {
  FieldManager who;
  FieldSet fields;
};

// The two, of which often one is empty.
FieldSet joined(FieldSet a, FieldSet b) {
  if (!schema::has_fields(a)) return b;
  return schema::has_fields(b) ? schema::unite(a, b) : a;
}

// What others lose by changes: `set` was changed or added.
void take_from_others(FieldManagers* managers, const FieldManager& me, const FieldSet& set, const FieldSet& removed) {
  for (auto& m : managers->all()) {
    if (!m.same_as(me) && schema::overlap(m.fields, set)) m.fields = schema::subtract(m.fields, set);
    if (!m.same_as(me) || !m.applies()) {
      if (schema::overlap(m.fields, removed)) m.fields = schema::subtract(m.fields, removed);
    }
  }
}

std::vector<Conflict> find_conflicts(FieldManagers* managers, const FieldManager& me, const FieldSet& set) {
  std::vector<Conflict> conflicts;
  for (auto& m : managers->all()) {
    if (!m.same_as(me) && schema::overlap(m.fields, set)) conflicts.push_back({m, schema::intersect(m.fields, set)});
  }
  return conflicts;
}

// An Update by `me`, who gets what he has changed beside what he had.
void update_managers(FieldManagers* managers, const FieldManager& me, schema::FieldChanges changes) {
  FieldSet mine = joined(std::move(changes.modified), std::move(changes.added));
  take_from_others(managers, me, mine, changes.removed);
  if (schema::has_fields(mine)) {
    FieldManager& m = managers->at(me);
    m.fields = joined(std::move(m.fields), std::move(mine));
    m.time = me.time;
  }
  managers->drop_empty();
  managers->cap();
}

Status conflict_status(const std::vector<Conflict>& conflicts) {
  Status status(Reason::kConflict, "");
  std::string all;
  size_t count = 0;
  for (const auto& c : conflicts) {
    const std::string who = c.who.described();
    all += (all.empty() ? "conflicts with " : "\nconflicts with ") + who + ":";
    for (const auto& path : schema::field_paths(c.fields)) {
      status.causes.push_back({path, "FieldManagerConflict", "conflict with " + who});
      all += "\n- " + path;
      ++count;
    }
  }
  status.message = count == 1 ? "Apply failed with 1 conflict: " + status.causes[0].message + ": " + status.causes[0].field
                              : "Apply failed with " + std::to_string(count) + " conflicts: " + all;
  return status;
}

// Client-side apply's annotation says what its author has set: of that he may take over what still is as he set it.
FieldSet allowed_by_last_applied(const Call& call, const Value& old) {
  const auto last = json::parse(old["metadata"]["annotations"][kLastApplied].str());
  if (!last.ok() || (*last)["apiVersion"].str() != call.resource->api_version()) return Value::object();
  const auto& type = *call.resource->type;
  FieldSet set = schema::fields_of(type, *last);
  const auto changes = schema::compare_fields(type, &*last, old);
  return schema::subtract(schema::subtract(schema::subtract(set, changes.modified), changes.added), changes.removed);
}

Status check_conflicts(const Call& call, const Value& old, const FieldManager& me, std::vector<Conflict> conflicts) {
  if (conflicts.empty() || call.request.option("force") == "true" || call.request.option("force") == "1") return {};
  if (me.name == "kubectl") {
    const FieldSet allowed = allowed_by_last_applied(call, old);
    for (auto& c : conflicts) c.fields = schema::subtract(c.fields, allowed);
    std::erase_if(conflicts, [](const Conflict& c) { return !schema::has_fields(c.fields); });
    if (conflicts.empty()) return {};
  }
  std::sort(conflicts.begin(), conflicts.end(), [](auto& a, auto& b) { return a.who.name < b.who.name; });
  return conflict_status(conflicts);
}

// Without what `before` had and nobody applies any more.
Value pruned(const schema::TypeInfo& type, const Value& merged, FieldManagers& managers, const FieldSet& before) {
  if (!schema::has_fields(before)) return merged;
  const auto named = [&](const FieldSet& set) { return schema::with_named_fields(type, set); };
  const FieldSet had = named(before), all = named(schema::fields_of(type, merged));
  Value less = schema::without_fields(type, merged, had);
  FieldSet owned = Value::object();
  for (const auto& m : managers.all()) owned = schema::unite(owned, m.fields);
  // What others own comes back, and what hung below something that went and was never his.
  const FieldSet left = named(schema::fields_of(type, less));
  less = schema::without_fields(type, merged, schema::subtract(all, schema::unite(left, named(owned))));
  const FieldSet now = named(schema::fields_of(type, less));
  return schema::without_fields(type, merged, schema::intersect(schema::subtract(all, now), had));
}

void refresh_last_applied(Value* object, const Value& applied) {
  if (!std::as_const(*object)["metadata"]["annotations"].has(kLastApplied)) return;
  Value copy = applied;
  if (Value* annotations = copy["metadata"].find("annotations"); annotations && annotations->is_object()) annotations->erase(kLastApplied);
  (*object)["metadata"]["annotations"].set(kLastApplied, json::write(copy) + "\n");
}

}  // namespace

void track_fields(Call& call, Value* object, const Value* old) {
  Value& metadata = (*object)["metadata"];
  Value* sent = metadata.find("managedFields");
  Value given = sent ? std::move(*sent) : Value();
  static const Value none;
  const Value& live = old ? (*old)["metadata"]["managedFields"] : none;
  const bool from_live = !call.request.subresource.empty() || given.empty();
  const bool reset = call.request.subresource.empty() && is_reset(given);
  metadata.erase("managedFields");
  if (reset) return;
  if (old && from_live && live.empty()) return;  // never tracked, or given up
  auto changes = changes_of(call, old, *object);
  const bool untouched = from_live || given == live;
  if (untouched && changes.none()) return put(object, live);
  auto managers = from_live ? std::nullopt : FieldManagers::decode(std::move(given));
  if (!managers) managers = decoded(live);
  if (old && managers->empty()) return;
  if (!changes.none()) update_managers(&*managers, whoever_calls(call, "Update"), std::move(changes));
  put(object, managers->encode());
}

Result<Value> apply_fields(Call& call, const Value& applied, const Value* old) {
  const auto& type = *call.resource->type;
  const FieldManager me = whoever_calls(call, "Apply");
  FieldManagers managers = decoded(old ? (*old)["metadata"]["managedFields"] : Value());
  Value live = old ? *old : Value::object();
  live["metadata"].erase("managedFields");
  if (old && managers.empty()) {  // nobody knows who has made it
    FieldManager before = me;
    before.operation = "Update", before.name = "before-first-apply", before.subresource.clear();
    update_managers(&managers, before, schema::compare_fields(type, nullptr, live));
  }
  Value merged = schema::merge_applied(type, live, applied);
  FieldManager* mine = managers.find(me);
  const FieldSet before = mine ? mine->fields : Value::object();
  FieldSet set = schema::subtract_deep(schema::fields_of(type, applied), not_written(call));
  const bool same_set = mine && before == set;
  FieldManager& entry = managers.at(me);
  entry.fields = set;
  entry.api_version = me.api_version;
  merged = pruned(type, merged, managers, before);
  const auto changes = changes_of(call, old ? &live : nullptr, merged);
  const FieldSet changed = schema::unite(changes.modified, changes.added);
  if (old) LOTSE_CHECK_OK(check_conflicts(call, *old, me, find_conflicts(&managers, me, changed)));
  take_from_others(&managers, me, changed, changes.removed);
  if (!same_set || !changes.none()) managers.at(me).time = me.time;
  managers.drop_empty();
  if (me.name == "kubectl") refresh_last_applied(&merged, applied);
  put(&merged, managers.encode());
  return merged;
}

void keep_times_of_no_change(Value* object, const Value& old) {
  const auto without_times = [](Value v) {
    for (Value& entry : v.array_items()) entry.erase("time");
    return v;
  };
  const Value& now = std::as_const(*object)["metadata"]["managedFields"];
  const Value& then = old["metadata"]["managedFields"];
  if (now == then || now.size() != then.size() || !(without_times(now) == without_times(then))) return;
  if (!schema::compare_fields(schema::TypeInfo{}, &old, *object).none()) return;
  (*object)["metadata"].set("managedFields", then);
}

Status check_field_manager(const Call& call, bool is_apply) {
  const std::string_view name = call.request.option("fieldManager");
  std::vector<Cause> causes;
  if (is_apply && name.empty()) causes.push_back({"fieldManager", "FieldValueRequired", "Required value: is required for apply patch"});
  if (!is_apply && call.request.verb == Verb::kPatch && call.request.has_option("force")) {
    causes.push_back({"force", "FieldValueForbidden", "Forbidden: may not be specified for non-apply patch"});
  }
  if (name.size() > kNameMax) causes.push_back({"fieldManager", "FieldValueTooLong", "Too long: may not be more than 128 bytes"});
  for (size_t i = 0; i < name.size(); ++i) {
    if (static_cast<unsigned char>(name[i]) >= 0x20 && name[i] != 0x7f) continue;
    causes.push_back({"fieldManager", "FieldValueInvalid", "Invalid value: " + json::write(Value(name)) + ": invalid character at index " + std::to_string(i)});
    break;
  }
  if (causes.empty()) return {};
  const std::string_view kind = call.request.verb == Verb::kPatch ? "PatchOptions" : call.request.verb == Verb::kUpdate ? "UpdateOptions" : "CreateOptions";
  return Status::invalid("meta.k8s.io", kind, "", std::move(causes));
}

}  // namespace lotse::api
