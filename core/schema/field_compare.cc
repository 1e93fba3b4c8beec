#include "core/schema/field_ref.h"
#include "core/schema/field_set.h"

namespace lotse::schema {
namespace {

using json::Value;

enum class Mark : uint8_t { kNone, kRemoved, kModified, kAdded };
enum class Level : uint8_t { kTop, kMetadata, kBelow };

// Parts that upstream's types hold by value, so that every object has them: making them is no change by anybody.
bool in_every_object(const FieldInfo& field) {
  constexpr std::string_view kParts[] = {"metadata", "spec", "status", "strategy", "template", "updateStrategy"};
  if (field.required()) return true;
  return field.shape() == Shape::kObject && std::find(std::begin(kParts), std::end(kParts), field.name()) != std::end(kParts);
}

bool blank(const Value* v) { return !v || v->empty(); }

Value make_node(bool member, Value children) {
  if (children.empty()) return member ? Value::object() : Value();
  if (member) children.set(".", Value::object());
  return children;
}

using Items = std::vector<std::pair<std::string, const Value*>>;

// By step; of items with the same step the first counts, and those without a key do not.
Items items_by_step(const FieldRef& ref, const Value* list) {
  Items items;
  if (!list) return items;
  items.reserve(list->size());
  for (const Value& item : list->items()) {
    if (std::string step = item_step(ref, item); !step.empty()) items.emplace_back(std::move(step), &item);
  }
  std::stable_sort(items.begin(), items.end(), [](auto& a, auto& b) { return a.first < b.first; });
  items.erase(std::unique(items.begin(), items.end(), [](auto& a, auto& b) { return a.first == b.first; }), items.end());
  return items;
}

class Comparer {
 public:
  // `fresh`: the left side is that of an object that is just being made.
  Mark compare(const FieldRef& ref, const Value* l, const Value* r, bool fresh, Level level, FieldChanges* out) {
    const bool same_form = !l || !r || l->is_null() || r->is_null() || l->type() == r->type();
    if (same_form && !(blank(l) && blank(r))) {
      const Value& some = blank(r) ? *l : *r;
      if (ref.walks_map(some)) {
        members(ref, l, r, fresh, level, out);
        return !l ? Mark::kAdded : !r ? Mark::kRemoved : Mark::kNone;
      }
      if (ref.walks_list(some)) {
        if (l && r && *l == *r) return Mark::kNone;
        items(ref, l, r, out);
        return !l ? Mark::kAdded : !r ? Mark::kRemoved : Mark::kNone;
      }
    }
    if (!l) return Mark::kAdded;
    if (!r) return Mark::kRemoved;
    return *l == *r ? Mark::kNone : Mark::kModified;
  }

 private:
  void members(const FieldRef& ref, const Value* l, const Value* r, bool fresh, Level level, FieldChanges* out) {
    static const Value::Object none;
    const Value::Object& a = l ? l->members() : none;
    const Value::Object& b = r ? r->members() : none;
    auto x = a.begin(), y = b.begin();
    while (x != a.end() || y != b.end()) {
      const int order = x == a.end() ? 1 : y == b.end() ? -1 : x->first.compare(y->first);
      const std::string& name = order <= 0 ? x->first : y->first;
      const Value* left = order <= 0 ? &x->second : nullptr;
      const Value* right = order >= 0 ? &y->second : nullptr;
      if (order <= 0) ++x;
      if (order >= 0) ++y;
      if (level == Level::kTop && unowned_at_top(name)) continue;
      if (level == Level::kMetadata && unowned_metadata(name)) continue;
      const Level below = level == Level::kTop && name == "metadata" ? Level::kMetadata : Level::kBelow;
      one(ref, name, left, right, fresh, below, out);
    }
  }

  void one(const FieldRef& ref, const std::string& name, const Value* l, const Value* r, bool fresh, Level level, FieldChanges* out) {
    static const Value null;
    FieldChanges below;
    const FieldRef member = ref.member(name);
    const bool still_fresh = fresh && !l && member.info && in_every_object(*member.info);
    const Mark mark = compare(member, still_fresh ? &null : l, r, still_fresh, level, &below);
    attach(member_step(name), level == Level::kMetadata ? Mark::kNone : mark, &below, out);
  }

  void items(const FieldRef& ref, const Value* l, const Value* r, FieldChanges* out) {
    const Items a = items_by_step(ref, l), b = items_by_step(ref, r);
    auto x = a.begin(), y = b.begin();
    while (x != a.end() || y != b.end()) {
      const int order = x == a.end() ? 1 : y == b.end() ? -1 : x->first.compare(y->first);
      FieldChanges below;
      const Mark mark = compare(ref.item(), order <= 0 ? x->second : nullptr, order >= 0 ? y->second : nullptr, false, Level::kBelow, &below);
      attach(order <= 0 ? x->first : y->first, mark, &below, out);
      if (order <= 0) ++x;
      if (order >= 0) ++y;
    }
  }

  // Steps come in their order, so the sets stay sorted.
  static void attach(const std::string& step, Mark mark, FieldChanges* below, FieldChanges* out) {
    const auto put = [&](Mark which, FieldSet* from, FieldSet* to) {
      Value node = make_node(mark == which, std::move(*from));
      if (!node.is_null()) to->object_members().emplace_back(step, std::move(node));
    };
    put(Mark::kRemoved, &below->removed, &out->removed);
    put(Mark::kModified, &below->modified, &out->modified);
    put(Mark::kAdded, &below->added, &out->added);
  }
};

}  // namespace

FieldChanges compare_fields(const TypeInfo& type, const Value* before, const Value& now) {
  static const Value nothing = Value::object();
  FieldChanges changes{Value::object(), Value::object(), Value::object()};
  Comparer().compare(FieldRef::of(type), before ? before : &nothing, &now, !before, Level::kTop, &changes);
  return changes;
}

}  // namespace lotse::schema
