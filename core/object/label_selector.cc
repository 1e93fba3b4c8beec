#include <charconv>

#include "core/object/selector.h"

namespace lotse {
namespace {

using Requirement = LabelSelector::Requirement;
using Op = LabelSelector::Op;

Status malformed(std::string what) {
  return Status(Reason::kBadRequest, "unable to parse the label selector: " + std::move(what));
}

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// "[prefix/]name" of labels: names of at most 63, prefixes of at most 253 characters.
bool is_name(std::string_view text, bool may_be_empty) {
  if (text.empty()) return may_be_empty;
  if (text.size() > 63 || !is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}
bool is_prefix(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  char last = '.';
  for (char c : text) {
    const bool edge = c == '.' || c == '-';
    if (!edge && !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) return false;
    if ((c == '.' && (last == '.' || last == '-')) || (c == '-' && last == '.')) return false;
    last = c;
  }
  return last != '.' && last != '-';
}
bool is_key(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == text.npos) return is_name(text, false);
  return is_prefix(text.substr(0, slash)) && is_name(text.substr(slash + 1), false);
}

bool to_number(std::string_view text, int64_t* out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
  return error == std::errc() && end == text.data() + text.size();
}

Status check(const Requirement& r) {
  if (!is_key(r.key)) return malformed("\"" + r.key + "\" is no label key");
  int64_t number;
  for (const std::string& value : r.values) {
    const bool compared = r.op == Op::kGreater || r.op == Op::kLess;
    if (compared ? !to_number(value, &number) : !is_name(value, true)) {
      return malformed("\"" + value + "\" is no " + (compared ? "whole number" : "label value"));
    }
  }
  return {};
}

// Words and signs of the selector's syntax.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  std::string_view peek() {
    if (next_.empty()) next_ = scan();
    return next_;
  }
  std::string_view take() {
    std::string_view token = peek();
    next_ = {};
    return token;
  }
  bool take_if(std::string_view token) { return peek() == token && (take(), true); }

 private:
  static bool is_sign(char c) { return std::string_view("=!(),<>").find(c) != std::string_view::npos; }
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
  std::string_view scan() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    const size_t start = at_;
    if (at_ == text_.size()) return {};
    if (is_sign(text_[at_])) {
      ++at_;
      if (at_ < text_.size() && text_[at_] == '=' && (text_[start] == '=' || text_[start] == '!')) ++at_;
    } else {
      while (at_ < text_.size() && !is_sign(text_[at_]) && !is_space(text_[at_])) ++at_;
    }
    return text_.substr(start, at_ - start);
  }
  std::string_view text_, next_;
  size_t at_ = 0;
};

bool is_word(std::string_view token) {
  return !token.empty() && std::string_view("=!(),<>").find(token[0]) == std::string_view::npos;
}

// "(a, b, )": an empty element is the empty value.
Result<std::vector<std::string>> parse_set(Lexer* in) {
  if (!in->take_if("(")) return malformed("( is expected");
  std::vector<std::string> values;
  for (;;) {
    values.emplace_back(is_word(in->peek()) ? in->take() : std::string_view());
    if (in->take_if(")")) break;
    if (!in->take_if(",")) return malformed(", or ) is expected");
  }
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

Result<Requirement> parse_requirement(Lexer* in) {
  const bool negated = in->take_if("!");
  if (!is_word(in->peek())) return malformed("a label key is expected");
  Requirement r{std::string(in->take()), negated ? Op::kDoesNotExist : Op::kExists, {}};
  const std::string_view sign = in->peek();
  if (negated || sign.empty() || sign == ",") return r;
  in->take();
  if (sign == "in" || sign == "notin") {
    r.op = sign == "in" ? Op::kIn : Op::kNotIn;
    auto values = parse_set(in);
    if (!values.ok()) return values.status();
    r.values = *std::move(values);
    return r;
  }
  if (sign == "=" || sign == "==")
    r.op = Op::kIn;
  else if (sign == "!=")
    r.op = Op::kNotIn;
  else if (sign == ">")
    r.op = Op::kGreater;
  else if (sign == "<")
    r.op = Op::kLess;
  else
    return malformed("\"" + std::string(sign) + "\" is no operator");
  r.values.emplace_back(is_word(in->peek()) ? in->take() : std::string_view());
  return r;
}

const std::string* find_label(const Labels& labels, std::string_view key) {
  auto it =
      std::lower_bound(labels.begin(), labels.end(), key, [](auto& l, std::string_view k) { return l.first < k; });
  return it != labels.end() && it->first == key ? &it->second : nullptr;
}

bool matches_one(const Requirement& r, const Labels& labels) {
  const std::string* value = find_label(labels, r.key);
  const auto listed = [&] { return value && std::find(r.values.begin(), r.values.end(), *value) != r.values.end(); };
  switch (r.op) {
    case Op::kIn:
      return listed();
    case Op::kNotIn:
      return !listed();
    case Op::kExists:
      return value != nullptr;
    case Op::kDoesNotExist:
      return value == nullptr;
    case Op::kGreater:
    case Op::kLess: {
      int64_t have, want;
      if (!value || !to_number(*value, &have) || !to_number(r.values.at(0), &want)) return false;
      return r.op == Op::kGreater ? have > want : have < want;
    }
  }
  return false;
}

std::string joined(const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& v : values) out += (&v == &values[0] ? "" : ",") + v;
  return out;
}

}  // namespace

LabelSelector LabelSelector::nothing() {
  LabelSelector s;
  s.nothing_ = true;
  return s;
}

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector out;
  Lexer in(text);
  if (in.peek().empty()) return out;
  for (;;) {
    auto r = parse_requirement(&in);
    if (!r.ok()) return r.status();
    if (Status s = check(*r); !s.ok()) return s;
    out.requirements_.push_back(*std::move(r));
    if (in.peek().empty()) break;
    if (!in.take_if(",")) return malformed("\"" + std::string(in.peek()) + "\" is not expected here");
  }
  std::stable_sort(out.requirements_.begin(), out.requirements_.end(), [](auto& a, auto& b) { return a.key < b.key; });
  return out;
}

Result<LabelSelector> LabelSelector::from_value(const json::Value& selector) {
  if (selector.is_null()) return nothing();
  LabelSelector out = from_map(selector["matchLabels"]);
  for (const json::Value& e : selector["matchExpressions"].items()) {
    Requirement r{std::string(e["key"].str()), Op::kExists, {}};
    const std::string_view op = e["operator"].str();
    if (op == "In")
      r.op = Op::kIn;
    else if (op == "NotIn")
      r.op = Op::kNotIn;
    else if (op == "Exists")
      r.op = Op::kExists;
    else if (op == "DoesNotExist")
      r.op = Op::kDoesNotExist;
    else
      return malformed("\"" + std::string(op) + "\" is no operator of a label selector");
    for (const json::Value& v : e["values"].items()) r.values.emplace_back(v.str());
    std::sort(r.values.begin(), r.values.end());
    const bool wants_values = r.op == Op::kIn || r.op == Op::kNotIn;
    if (wants_values == r.values.empty())
      return malformed("operator " + std::string(op) + (wants_values ? " needs values" : " takes no values"));
    if (Status s = check(r); !s.ok()) return s;
    out.requirements_.push_back(std::move(r));
  }
  for (const Requirement& r : out.requirements_) {
    if (Status s = check(r); !s.ok()) return s;
  }
  std::stable_sort(out.requirements_.begin(), out.requirements_.end(), [](auto& a, auto& b) { return a.key < b.key; });
  return out;
}

LabelSelector LabelSelector::from_map(const json::Value& map) {
  LabelSelector out;
  for (const auto& [key, value] : map.members())
    out.requirements_.push_back({key, Op::kIn, {std::string(value.str())}});
  return out;
}

bool LabelSelector::matches(const Labels& labels) const {
  if (nothing_) return false;
  return std::all_of(requirements_.begin(), requirements_.end(), [&](auto& r) { return matches_one(r, labels); });
}

std::string LabelSelector::text() const {
  std::string out;
  for (const Requirement& r : requirements_) {
    if (!out.empty()) out += ',';
    switch (r.op) {
      case Op::kIn:
        out += r.key + (r.values.size() == 1 ? "=" + r.values[0] : " in (" + joined(r.values) + ")");
        break;
      case Op::kNotIn:
        out += r.key + (r.values.size() == 1 ? "!=" + r.values[0] : " notin (" + joined(r.values) + ")");
        break;
      case Op::kExists:
        out += r.key;
        break;
      case Op::kDoesNotExist:
        out += "!" + r.key;
        break;
      case Op::kGreater:
        out += r.key + ">" + r.values[0];
        break;
      case Op::kLess:
        out += r.key + "<" + r.values[0];
        break;
    }
  }
  return out;
}

}  // namespace lotse
