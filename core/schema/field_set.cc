#include "core/schema/field_set.h"

namespace lotse::schema {
namespace {

using json::Value;
using Members = Value::Object;

constexpr std::string_view kSelf = ".";

bool is_member(const Value& node) { return node.empty() || node.members().front().first == kSelf; }

// "." sorts before every other step.
Members::const_iterator first_child(const Value& node) {
  auto at = node.members().begin();
  return at != node.members().end() && at->first == kSelf ? at + 1 : at;
}

// A node of its parts; null if there is nothing in it.
Value make_node(bool member, Value children) {
  if (children.empty()) return member ? Value::object() : Value();
  if (!member) return children;
  auto& members = children.object_members();
  members.insert(members.begin(), {std::string(kSelf), Value::object()});
  return children;
}

void append(Value* children, const std::string& step, Value node) {
  if (!node.is_null()) children->object_members().emplace_back(step, std::move(node));
}

enum class Op : uint8_t { kUnite, kIntersect, kSubtract, kSubtractDeep };

bool keep(Op op, bool a, bool b) {
  switch (op) {
    case Op::kUnite: return a || b;
    case Op::kIntersect: return a && b;
    default: return a && !b;
  }
}

Value children(Op op, const Value& a, const Value& b);

Value node(Op op, const Value& a, const Value& b) {
  if (op == Op::kSubtractDeep && is_member(b)) return Value();
  return make_node(keep(op, is_member(a), is_member(b)), children(op, a, b));
}

Value children(Op op, const Value& a, const Value& b) {
  Value out = Value::object();
  auto x = first_child(a), y = first_child(b);
  const auto x_end = a.members().end(), y_end = b.members().end();
  while (x != x_end || y != y_end) {
    const int order = x == x_end ? 1 : y == y_end ? -1 : x->first.compare(y->first);
    if (order == 0) {
      append(&out, x->first, node(op, x->second, y->second));
      ++x, ++y;
    } else if (order < 0) {
      if (op != Op::kIntersect) append(&out, x->first, x->second);
      ++x;
    } else {
      if (op == Op::kUnite) append(&out, y->first, y->second);
      ++y;
    }
  }
  return out;
}

std::string step_text(std::string_view step) {
  const std::string_view rest = step.substr(2);
  if (step.starts_with("f:")) return "." + std::string(rest);
  if (step.starts_with("v:")) return "[=" + std::string(rest) + "]";
  if (step.starts_with("i:")) return "[" + std::string(rest) + "]";
  const auto keys = json::parse(rest);
  std::string text;
  if (keys.ok()) {
    for (const auto& [key, value] : keys->members()) text += (text.empty() ? "" : ",") + key + "=" + json::write(value);
  }
  return "[" + text + "]";
}

void collect(const Value& set, const std::string& prefix, std::vector<std::string>* out) {
  for (auto at = first_child(set); at != set.members().end(); ++at) {
    const std::string path = prefix + step_text(at->first);
    if (is_member(at->second)) out->push_back(path);
    collect(at->second, path, out);
  }
}

}  // namespace

bool is_field_set(const Value& value) {
  if (!value.is_object()) return false;
  return std::all_of(value.members().begin(), value.members().end(), [](auto& member) {
    const std::string_view step = member.first;
    const bool known = step == kSelf || (step.size() >= 2 && step[1] == ':' && std::string_view("fkvi").find(step[0]) != std::string_view::npos);
    return known && is_field_set(member.second);
  });
}

bool has_fields(const FieldSet& set) { return !set.empty(); }
bool overlap(const FieldSet& a, const FieldSet& b) {
  auto x = first_child(a), y = first_child(b);
  while (x != a.members().end() && y != b.members().end()) {
    const int order = x->first.compare(y->first);
    if (order == 0 && ((is_member(x->second) && is_member(y->second)) || overlap(x->second, y->second))) return true;
    if (order <= 0) ++x;
    if (order >= 0) ++y;
  }
  return false;
}

FieldSet unite(const FieldSet& a, const FieldSet& b) { return children(Op::kUnite, a, b); }
FieldSet intersect(const FieldSet& a, const FieldSet& b) { return children(Op::kIntersect, a, b); }
FieldSet subtract(const FieldSet& a, const FieldSet& b) { return children(Op::kSubtract, a, b); }
FieldSet subtract_deep(const FieldSet& a, const FieldSet& b) { return children(Op::kSubtractDeep, a, b); }

std::vector<std::string> field_paths(const FieldSet& set) {
  std::vector<std::string> out;
  collect(set, "", &out);
  return out;
}

}  // namespace lotse::schema
