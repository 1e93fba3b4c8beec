#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <charconv>
#include <cmath>
#include <sstream>

#include "core/object/json.h"
#include "core/object/utf8.h"

namespace lotse::json {
namespace {

constexpr size_t kSizeMax = 3 * 1024 * 1024;  // of the text, and of what its aliases add
constexpr size_t kNodesMax = 1'000'000;
constexpr size_t kAliasesMax = 10'000;

struct Refusal {
  std::string what;
  YAML::Mark mark;
};

template <size_t N>
bool one_of(std::string_view text, const std::string_view (&words)[N]) {
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

bool is_null_word(std::string_view t) {
  constexpr std::string_view kWords[] = {"", "~", "null", "Null", "NULL"};
  return one_of(t, kWords);
}

std::optional<bool> bool_word(std::string_view t) {
  constexpr std::string_view kYes[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"};
  constexpr std::string_view kNo[] = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"};
  if (one_of(t, kYes)) return true;
  if (one_of(t, kNo)) return false;
  return std::nullopt;
}

// 12, -0x1F, 0o17, 017, 0b11, 1_000
std::optional<std::string> whole_number(std::string text) {
  std::erase(text, '_');
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.erase(0, 1);
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char c = text[1];
    base = c == 'x' || c == 'X' ? 16 : c == 'b' || c == 'B' ? 2 : 8;
    text.erase(0, base == 8 && c != 'o' && c != 'O' ? 1 : 2);
  }
  uint64_t n;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (negative && n > (1ull << 63)) return std::nullopt;
  return (negative && n ? "-" : "") + std::to_string(n);
}

bool is_float_form(std::string_view t) {
  size_t i = !t.empty() && (t[0] == '-' || t[0] == '+') ? 1 : 0, digits = 0;
  for (bool point = false; i < t.size(); ++i) {
    if (t[i] == '.' && !point)
      point = true;
    else if (t[i] >= '0' && t[i] <= '9')
      ++digits;
    else
      break;
  }
  if (digits == 0) return false;
  if (i == t.size()) return true;
  if (t[i] != 'e' && t[i] != 'E') return false;
  if (++i < t.size() && (t[i] == '-' || t[i] == '+')) ++i;
  return i < t.size() && t.find_first_not_of("0123456789", i) == t.npos;
}

bool is_json_number(std::string_view t) {
  auto value = parse(t);
  return value.ok() && value->is_number();
}

// A plain scalar as sigs.k8s.io/yaml resolves it.
Value resolve(const std::string& text) {
  if (is_null_word(text)) return Value();
  if (auto b = bool_word(text)) return Value(*b);
  if (std::string_view("+-.0123456789").find(text[0]) == std::string_view::npos) return Value(text);
  if (auto whole = whole_number(text)) return Value::number(*whole);
  std::string plain = text;
  std::erase(plain, '_');
  if (!is_float_form(plain)) return Value(text);
  if (is_json_number(plain)) return Value::number(plain);
  return Value(std::strtod(plain.c_str(), nullptr));
}

size_t count_nodes(const Value& v) {
  size_t n = 1;
  for (const Value& item : v.items()) n += count_nodes(item);
  for (const auto& [key, member] : v.members()) n += 1 + count_nodes(member);
  return n;
}

class Builder : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { put(mark, anchor, Value()); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto it = anchors_.find(anchor);
    if (it == anchors_.end()) throw Refusal{"an alias stands inside of what it names", mark};
    if (++aliases_ > kAliasesMax) throw Refusal{"too many aliases", mark};
    if (static_cast<int>(frames_.size()) + depth(it->second) > kDepthMax) throw Refusal{"nested too deep", mark};
    count(mark, count_nodes(it->second));
    added_ += write(it->second).size();
    if (added_ > kSizeMax) throw Refusal{"the aliases make the document too large", mark};
    put(mark, 0, it->second);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    put(mark, anchor, scalar(mark, tag, text), &text);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, true);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, false);
  }
  void OnMapEnd() override { close(); }

  bool used() const { return used_; }
  Value take() { return std::move(root_); }

 private:
  struct Frame {
    Value value;
    YAML::anchor_t anchor;
    YAML::Mark mark;
    bool has_key = false, merges = false;
    std::string key;
    std::vector<Value> merged;  // what << names, in order
  };

  Value scalar(const YAML::Mark& mark, const std::string& tag, const std::string& text) {
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    if (tag == "?" || tag.empty()) return resolve(text);
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return Value(text);
    if (tag.starts_with(kCore)) {
      const std::string_view name = std::string_view(tag).substr(kCore.size());
      Value v = resolve(text);
      if (name == "null" && v.is_null()) return v;
      if (name == "bool" && v.is_bool()) return v;
      if ((name == "int" && v.is_integer()) || (name == "float" && v.is_number())) return v;
    }
    throw Refusal{"the tag " + tag + " does not fit or is not supported", mark};
  }
  void count(const YAML::Mark& mark, size_t nodes) {
    nodes_ += nodes;
    if (nodes_ > kNodesMax) throw Refusal{"the document has too many nodes", mark};
  }
  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, bool sequence) {
    if (!tag.empty() && tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:map" && tag != "tag:yaml.org,2002:seq") {
      throw Refusal{"the tag " + tag + " is not supported", mark};
    }
    if (frames_.size() >= static_cast<size_t>(kDepthMax)) throw Refusal{"nested too deep", mark};
    if (!frames_.empty() && frames_.back().value.is_object() && !frames_.back().has_key) {
      throw Refusal{"a key must be a scalar", mark};
    }
    count(mark, 1);
    frames_.push_back({sequence ? Value::array() : Value::object(), anchor, mark, false, false, {}, {}});
  }
  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    for (Value& from : frame.merged) {  // what stands in the map itself wins
      for (const auto& [key, value] : from.members()) {
        if (!frame.value.has(key)) frame.value.set(key, value);
      }
    }
    put(frame.mark, frame.anchor, std::move(frame.value));
  }
  void put(const YAML::Mark& mark, YAML::anchor_t anchor, Value value, const std::string* text = nullptr) {
    used_ = true;
    count(mark, 1);
    if (anchor) anchors_.insert_or_assign(anchor, value);
    if (frames_.empty()) {
      root_ = std::move(value);
    } else if (frames_.back().value.is_array()) {
      frames_.back().value.push(std::move(value));
    } else if (!frames_.back().has_key) {
      put_key(mark, value, text);
    } else {
      put_member(mark, std::move(value));
    }
  }
  void put_key(const YAML::Mark& mark, const Value& value, const std::string* text) {
    Frame& top = frames_.back();
    if (value.is_array() || value.is_object()) throw Refusal{"a key must be a scalar", mark};
    top.has_key = true;
    top.merges = text && *text == "<<" && value.is_string();
    if (value.is_string())
      top.key = value.str();
    else if (value.is_bool())
      top.key = value.boolean() ? "true" : "false";
    else if (value.is_number())
      top.key = value.number_text();
    else
      throw Refusal{"a key must not be null", mark};
  }
  void put_member(const YAML::Mark& mark, Value value) {
    Frame& top = frames_.back();
    top.has_key = false;
    if (!top.merges) {
      if (top.value.has(top.key)) throw Refusal{"the key \"" + top.key + "\" is given twice", mark};
      top.value.set(top.key, std::move(value));
      return;
    }
    if (value.is_object())
      top.merged.push_back(std::move(value));
    else if (value.is_array())
      for (const Value& item : value.items()) top.merged.push_back(item);
    else
      throw Refusal{"<< takes a map or a list of maps", mark};
  }

  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Value> anchors_;
  size_t nodes_ = 0, aliases_ = 0, added_ = 0;
  bool used_ = false;
  Value root_;
};

Status malformed(const std::string& what, const YAML::Mark& mark) {
  return Status(Reason::kBadRequest, "invalid YAML at line " + std::to_string(mark.line + 1) + ", column " +
                                         std::to_string(mark.column + 1) + ": " + what);
}

}  // namespace

Result<Value> parse_yaml(std::string_view text) {
  if (text.size() > kSizeMax) {
    return Status(Reason::kRequestEntityTooLarge, "a YAML document has at most " + std::to_string(kSizeMax) + " bytes");
  }
  if (!is_utf8(text)) return Status(Reason::kBadRequest, "invalid YAML: it is not UTF-8");
  const auto is_control = [](unsigned char c) { return c < 0x20 && c != '\t' && c != '\n' && c != '\r'; };
  if (std::any_of(text.begin(), text.end(), is_control))
    return Status(Reason::kBadRequest, "invalid YAML: it has control characters");
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder;
    if (!parser.HandleNextDocument(builder) || !builder.used()) return Value();
    Value value = builder.take();
    Builder second;
    if (parser.HandleNextDocument(second) && second.used() && !second.take().is_null()) {
      return Status(Reason::kBadRequest, "invalid YAML: one document is expected, another follows");
    }
    return value;
  } catch (const Refusal& r) {
    return malformed(r.what, r.mark);
  } catch (const YAML::Exception& e) {
    return malformed(e.msg, e.mark);
  }
}

}  // namespace lotse::json
