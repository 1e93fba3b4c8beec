#include <charconv>

#include "core/object/json.h"

namespace lotse::json {
namespace {

constexpr size_t kOperationsMax = 10000;        // as upstream
constexpr size_t kCopiedMax = 3 * 1024 * 1024;  // bytes of text made by copy operations of one patch
using Tokens = std::vector<std::string>;

Result<Tokens> parse_pointer(std::string_view text) {
  Tokens tokens;
  if (text.empty()) return tokens;
  if (text[0] != '/')
    return Status(Reason::kBadRequest, "JSON pointer \"" + std::string(text) + "\" does not start with /");
  for (size_t i = 1;;) {
    const size_t end = std::min(text.find('/', i), text.size());
    std::string token;
    for (size_t j = i; j < end; ++j) {
      if (text[j] != '~') {
        token.push_back(text[j]);
      } else if (j + 1 < end && (text[j + 1] == '0' || text[j + 1] == '1')) {
        token.push_back(text[++j] == '0' ? '~' : '/');
      } else {
        return Status(Reason::kBadRequest, "JSON pointer \"" + std::string(text) + "\" has a ~ without 0 or 1");
      }
    }
    tokens.push_back(std::move(token));
    if (end == text.size()) return tokens;
    i = end + 1;
  }
}

// The index a token means in an array of that size; nothing if none.
std::optional<size_t> parse_index(std::string_view token, size_t limit) {
  size_t index;
  auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
  if (error != std::errc() || end != token.data() + token.size() || index > limit) return std::nullopt;
  if (token.size() > 1 && token[0] == '0') return std::nullopt;
  return index;
}

Value* step(Value* at, const std::string& token) {
  if (at->is_object()) return at->find(token);
  if (!at->is_array()) return nullptr;
  auto index = parse_index(token, at->size());
  return index && *index < at->size() ? &at->array_items()[*index] : nullptr;
}

Value* walk(Value* root, const Tokens& tokens, size_t count) {
  Value* at = root;
  for (size_t i = 0; at && i < count; ++i) at = step(at, tokens[i]);
  return at;
}

class Patcher {
 public:
  explicit Patcher(Value document) : document_(std::move(document)) {}
  Value take() { return std::move(document_); }

  Status run(const Value& operation) {
    const std::string_view op = operation["op"].str();
    if (!operation["path"].is_string()) return bad("has no path");
    auto path = parse_pointer(operation["path"].str());
    if (!path.ok()) return path.status();
    if (op == "remove") return remove(*path);
    if (op == "move" || op == "copy") {
      if (!operation["from"].is_string()) return bad("has no from");
      auto from = parse_pointer(operation["from"].str());
      if (!from.ok()) return from.status();
      return op == "move" ? move(*from, *path) : copy(*from, *path);
    }
    if (op != "add" && op != "replace" && op != "test") return bad("has an unknown op \"" + std::string(op) + "\"");
    const Value* value = operation.find("value");
    if (!value && op != "test") return bad("has no value");
    if (op == "add") return add(*path, *value);
    if (op == "replace") return replace(*path, *value);
    return test(*path, value ? *value : Value());
  }

 private:
  static Status bad(std::string why) { return Status(Reason::kBadRequest, std::move(why)); }
  static Status unfit(std::string why) { return Status(Reason::kInvalid, std::move(why)); }

  Status add(const Tokens& path, Value value) {
    if (static_cast<int>(path.size()) + depth(value) > kDepthMax) return unfit("nests the document too deep");
    if (path.empty()) {
      document_ = std::move(value);
      return {};
    }
    Value* parent = walk(&document_, path, path.size() - 1);
    if (!parent || (!parent->is_object() && !parent->is_array())) return unfit("adds to a place that does not exist");
    if (parent->is_object()) {
      parent->set(path.back(), std::move(value));
      return {};
    }
    auto& items = parent->array_items();
    const auto index = path.back() == "-" ? std::optional(items.size()) : parse_index(path.back(), items.size());
    if (!index) return unfit("adds at an index that does not exist");
    items.insert(items.begin() + static_cast<std::ptrdiff_t>(*index), std::move(value));
    return {};
  }
  Status remove(const Tokens& path) {
    Value* parent = path.empty() ? nullptr : walk(&document_, path, path.size() - 1);
    if (!parent || !step(parent, path.back())) return unfit("removes what does not exist");
    if (parent->is_object()) {
      parent->erase(path.back());
    } else {
      auto& items = parent->array_items();
      items.erase(items.begin() + static_cast<std::ptrdiff_t>(*parse_index(path.back(), items.size())));
    }
    return {};
  }
  Status replace(const Tokens& path, Value value) {
    Value* at = walk(&document_, path, path.size());
    if (!at) return unfit("replaces what does not exist");
    if (static_cast<int>(path.size()) + depth(value) > kDepthMax) return unfit("nests the document too deep");
    *at = std::move(value);
    return {};
  }
  Status move(const Tokens& from, const Tokens& path) {
    if (path.size() > from.size() && std::equal(from.begin(), from.end(), path.begin())) {
      return unfit("moves a value into itself");
    }
    Value* at = walk(&document_, from, from.size());
    if (!at || from.empty()) return unfit("moves what does not exist");
    Value value = *at;
    if (Status s = remove(from); !s.ok()) return s;
    return add(path, std::move(value));
  }
  Status copy(const Tokens& from, const Tokens& path) {
    Value* at = walk(&document_, from, from.size());
    if (!at) return unfit("copies what does not exist");
    copied_ += write(*at).size();
    if (copied_ > kCopiedMax) return unfit("copies more than " + std::to_string(kCopiedMax) + " bytes");
    return add(path, *at);
  }
  Status test(const Tokens& path, const Value& value) {
    Value* at = walk(&document_, path, path.size());
    if (!at ? !value.is_null() : !(*at == value)) return unfit("tests for a value that is not there");
    return {};
  }

  Value document_;
  size_t copied_ = 0;
};

}  // namespace

Result<Value> apply_json_patch(Value document, const Value& patch) {
  if (!patch.is_array()) return Status(Reason::kBadRequest, "a JSON patch is an array of operations");
  if (patch.size() > kOperationsMax) {
    return Status(Reason::kRequestEntityTooLarge,
                  "a JSON patch has at most " + std::to_string(kOperationsMax) + " operations");
  }
  Patcher patcher(std::move(document));
  for (size_t i = 0; i < patch.size(); ++i) {
    Status s = patcher.run(patch.at(i));
    if (s.ok()) continue;
    s.message = "JSON patch operation " + std::to_string(i) + " (" + std::string(patch.at(i)["op"].str("?")) + " " +
                std::string(patch.at(i)["path"].str("?")) + ") " + s.message;
    return s;
  }
  return patcher.take();
}

Value merge_patch(Value target, const Value& patch) {
  if (!patch.is_object()) return patch;
  if (!target.is_object()) target = Value::object();
  for (const auto& [key, value] : patch.members()) {
    if (value.is_null()) {
      target.erase(key);
    } else if (value.is_object()) {
      Value* old = target.find(key);
      target.set(key, merge_patch(old ? std::move(*old) : Value(), value));
    } else {
      target.set(key, value);
    }
  }
  return target;
}

}  // namespace lotse::json
