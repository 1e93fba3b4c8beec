// What server-side apply needs of the table: the set of what a document says, laying it over an object, and taking fields out of one.
#include <unordered_map>
#include <unordered_set>

#include "core/schema/field_ref.h"
#include "core/schema/field_set.h"

namespace lotse::schema {
namespace {

using json::Value;

void mark_member(Value* set, const std::string& step) {
  Value& node = (*set)[step];
  if (!node.is_object()) node = Value::object();
  if (!node.empty()) node.set(".", Value::object());
}

void put_children(Value* set, const std::string& step, Value children) {
  if (children.empty()) return;
  Value& node = (*set)[step];
  const bool member = node.is_object() && node.empty();
  node = std::move(children);
  if (member) node.set(".", Value::object());
}

Value children_of(const FieldRef& ref, const Value& value, int level);

// Level 0 is the object, 1 its metadata, which is nobody's itself. Upstream's rule: leaves are members, and so are items, entries of maps, and fields that hold nothing.
void add_member(const FieldRef& ref, const std::string& name, const Value& value, int level, Value* set) {
  const FieldRef at = ref.member(name);
  const std::string step = member_step(name);
  const bool walks = at.walks_map(value) || at.walks_list(value);
  const bool empty_map = value.is_null() || (value.is_object() && value.empty());
  if (level != 1 && (!walks || empty_map || !ref.named(name))) mark_member(set, step);
  if (walks) put_children(set, step, children_of(at, value, level));
}

Value children_of(const FieldRef& ref, const Value& value, int level) {
  Value set = Value::object();
  if (ref.walks_map(value)) {
    for (const auto& [name, member] : value.members()) {
      if (level == 0 && unowned_at_top(name)) continue;
      if (level == 1 && unowned_metadata(name)) continue;
      add_member(ref, name, member, level == 0 && name == "metadata" ? 1 : 2, &set);
    }
  } else if (ref.walks_list(value)) {
    std::unordered_map<std::string, int> seen;
    for (const Value& item : value.items()) ++seen[item_step(ref, item)];
    for (const Value& item : value.items()) {
      const std::string step = item_step(ref, item);
      if (step.empty()) continue;
      mark_member(&set, step);
      if (seen[step] == 1) put_children(&set, step, children_of(ref.item(), item, 2));
    }
  }
  return set;
}

// merge ------------------------------------------------------------------------------------------------------------------

Value merge(const FieldRef& ref, const Value* l, const Value* r);

Value merge_members(const FieldRef& ref, const Value* l, const Value* r) {
  Value out = l ? *l : Value::object();
  if (!out.is_object()) out = Value::object();
  if (!r) return out;
  for (const auto& [name, value] : r->members()) {
    const Value* before = std::as_const(out).find(name);
    out.set(name, merge(ref.member(name), before, &value));
  }
  return out;
}

// The order of items: as applied where both have them, others where they stood in relation to those.
Value merge_items(const FieldRef& ref, const Value* l, const Value* r) {
  struct Side {
    std::vector<std::string> order;
    std::unordered_map<std::string, const Value*> items;
  };
  const auto read = [&](const Value* list) {
    Side side;
    if (!list) return side;
    for (const Value& item : list->items()) {
      std::string step = item_step(ref, item);
      if (side.items.emplace(step, &item).second) side.order.push_back(std::move(step));
    }
    return side;
  };
  const Side a = read(l), b = read(r);
  const auto find = [](const Side& s, const std::string& step) { auto at = s.items.find(step); return at == s.items.end() ? nullptr : at->second; };
  std::vector<std::string> shared;
  for (const auto& step : b.order) {
    if (find(a, step)) shared.push_back(step);
  }
  Value out = Value::array();
  size_t next = 0;
  const auto take = [&](const std::string& step) { out.push(merge(ref.item(), find(a, step), find(b, step))); };
  for (size_t i = 0, j = 0; i < a.order.size() || j < b.order.size();) {
    if (i < a.order.size() && j < b.order.size()) {
      if (a.order[i] == b.order[j]) {
        take(a.order[i]);
        ++i, ++j, ++next;
        continue;
      }
      if (find(b, a.order[i]) && next < shared.size() && shared[next] != a.order[i]) {  // shared, and its turn comes later
        ++i;
        continue;
      }
    }
    if (i < a.order.size() && !find(b, a.order[i])) {
      take(a.order[i++]);
      continue;
    }
    if (j >= b.order.size()) {  // what is left on this side was taken from the other
      ++i;
      continue;
    }
    const std::string& step = b.order[j++];
    take(step);
    if (next < shared.size() && shared[next] == step) ++next;
  }
  return out;
}

Value merge(const FieldRef& ref, const Value* l, const Value* r) {
  if (!r) return *l;
  if (!l || l->is_null()) return *r;
  const bool both_empty = l->empty() && r->empty();
  if (!both_empty && ref.walks_map(*r) && l->is_object()) return merge_members(ref, l, r);
  if (!both_empty && ref.walks_list(*r) && l->is_array()) return merge_items(ref, l, r);
  return *r;
}

// remove -----------------------------------------------------------------------------------------------------------------

bool is_member(const Value& node) { return node.empty() || node.members().front().first == "."; }
bool has_children(const Value& node) { return !node.empty() && (node.size() > 1 || !is_member(node)); }

// Null if nothing is left.
Value remove(const FieldRef& ref, const Value& value, const Value& set) {
  if (ref.walks_map(value)) {
    Value out = Value::object();
    for (const auto& [name, member] : value.members()) {
      const Value* node = set.find(member_step(name));
      if (node && is_member(*node)) continue;
      Value left = node && has_children(*node) ? remove(ref.member(name), member, *node) : member;
      if (!left.is_null() || member.is_null()) out.object_members().emplace_back(name, std::move(left));
    }
    return out.empty() ? Value() : out;
  }
  if (ref.walks_list(value)) {
    Value out = Value::array();
    for (const Value& item : value.items()) {
      const Value* node = set.find(item_step(ref, item));
      if (node && is_member(*node)) continue;
      Value left = node && has_children(*node) ? remove(ref.item(), item, *node) : item;
      out.push(left.is_null() && item.is_object() ? Value::object() : std::move(left));
    }
    return out.empty() ? Value() : out;
  }
  return value.is_object() || value.is_array() ? Value() : value;  // a leaf of which a part goes, goes
}

Value with_named(const FieldRef* ref, const Value& set) {
  Value out = Value::object();
  for (const auto& [step, node] : set.members()) {
    if (step == ".") continue;
    const bool is_field = step.starts_with("f:");
    const std::string_view name = std::string_view(step).substr(2);
    FieldRef below;
    bool known = false;
    if (ref && is_field && (ref->shape == Shape::kObject || ref->shape == Shape::kMap)) below = ref->member(name, &known);
    if (ref && !is_field && ref->shape == Shape::kArray) below = ref->item(), known = true;
    Value children = with_named(known ? &below : nullptr, node);
    const bool member = is_member(node) || (ref && is_field && ref->named(name));
    if (member && !children.empty()) children.set(".", Value::object());
    if (member || !children.empty()) out.object_members().emplace_back(step, std::move(children));
  }
  return out;
}

// check ------------------------------------------------------------------------------------------------------------------

std::string check(const FieldRef& ref, const Value& value, const std::string& path) {
  if (value.is_object() && (ref.shape == Shape::kObject || ref.shape == Shape::kMap)) {
    for (const auto& [name, member] : value.members()) {
      bool known = true;
      const FieldRef at = ref.member(name, &known);
      if (!known) return path + "." + name + ": field not declared in schema";
      if (std::string why = check(at, member, path + "." + name); !why.empty()) return why;
    }
  } else if (value.is_array() && ref.shape == Shape::kArray) {
    std::unordered_set<std::string> seen;
    for (size_t i = 0; i < value.size(); ++i) {
      std::string at = path + "[" + std::to_string(i) + "]";
      if (ref.walks_list(value)) {
        const std::string step = item_step(ref, value.at(i));
        if (step.empty()) return path + ": element " + std::to_string(i) + ": associative list with keys has an element that omits a key field";
        const FieldSet one = Value::object({{step, Value::object()}});
        at = path + field_paths(one)[0];
        if (!seen.insert(step).second) return path + ": duplicate entries for key " + field_paths(one)[0];
      }
      if (std::string why = check(ref.item(), value.at(i), at); !why.empty()) return why;
    }
  }
  return {};
}

}  // namespace

FieldSet fields_of(const TypeInfo& type, const Value& object) { return children_of(FieldRef::of(type), object, 0); }
std::string check_applied(const TypeInfo& type, const Value& object) { return check(FieldRef::of(type), object, ""); }
Value merge_applied(const TypeInfo& type, const Value& object, const Value& applied) { return merge(FieldRef::of(type), &object, &applied); }

Value without_fields(const TypeInfo& type, const Value& object, const FieldSet& set) {
  Value out = remove(FieldRef::of(type), object, set);
  return out.is_null() ? Value::object() : out;
}

FieldSet with_named_fields(const TypeInfo& type, const FieldSet& set) {
  const FieldRef ref = FieldRef::of(type);
  return with_named(&ref, set);
}

}  // namespace lotse::schema
