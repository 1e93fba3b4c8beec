#ifdef __SSE2__
#define RAPIDJSON_SSE2
#endif
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include "core/object/json.h"
#include "core/object/utf8.h"

namespace lotse::json {
namespace {

constexpr size_t kPadding = 64;  // zeros end the text; the reader looks ahead by vectors
constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseInsituFlag |
                            rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseStopWhenDoneFlag;

// What parsing needs and nobody keeps: one for each thread, so that a parse allocates nothing but the tree.
struct Scratch {
  struct Frame {
    size_t start;
    bool array;
  };
  std::vector<Value::Member> stack;
  std::vector<Frame> frames;
  std::vector<char> text;

  // Ready for the next: empty, and without what one big document left.
  void tidy() {
    constexpr size_t kKept = 64 * 1024;
    stack.clear();
    frames.clear();
    if (stack.capacity() * sizeof(Value::Member) > kKept) std::vector<Value::Member>().swap(stack);
    if (text.capacity() > kKept) std::vector<char>().swap(text);
  }
};

// Everything that is open stands on one stack of members (an array's items have no key); what closes takes its part.
class Builder : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Builder> {
 public:
  Builder(Scratch& scratch, std::vector<std::string>* duplicates)
      : duplicates_(duplicates), stack_(scratch.stack), frames_(scratch.frames) {}

  bool Null() { return put(Value()); }
  bool Bool(bool b) { return put(Value(b)); }
  bool RawNumber(const char* s, rapidjson::SizeType n, bool) { return put(Value::number({s, n})); }
  bool String(const char* s, rapidjson::SizeType n, bool) { return put(Value(std::string_view(s, n))); }
  bool Key(const char* s, rapidjson::SizeType n, bool) {
    stack_.emplace_back(std::string(s, n), Value());
    return true;
  }
  bool StartObject() { return open(false); }
  bool StartArray() { return open(true); }
  bool EndObject(rapidjson::SizeType) {
    const size_t start = frames_.back().start;
    Value object = Value::object();
    if (start != stack_.size()) {
      Value::Object& members = object.object_members();
      members.assign(std::make_move_iterator(stack_.begin() + start), std::make_move_iterator(stack_.end()));
      auto unordered = [](const Value::Member& a, const Value::Member& b) { return a.first >= b.first; };
      if (std::adjacent_find(members.begin(), members.end(), unordered) != members.end()) sort(&members);
    }
    return close(std::move(object));
  }
  bool EndArray(rapidjson::SizeType) {
    const size_t start = frames_.back().start;
    Value array = Value::array();
    if (start != stack_.size()) {
      Value::Array& items = array.array_items();
      items.reserve(stack_.size() - start);
      for (size_t i = start; i < stack_.size(); ++i) items.push_back(std::move(stack_[i].second));
    }
    return close(std::move(array));
  }

  bool too_deep() const { return too_deep_; }
  Value take() { return std::move(root_); }

 private:
  bool put(Value value) {
    if (frames_.empty()) {
      root_ = std::move(value);
    } else if (frames_.back().array) {
      stack_.emplace_back(std::string(), std::move(value));
    } else {
      stack_.back().second = std::move(value);
    }
    return true;
  }
  bool open(bool array) {
    if (frames_.size() >= static_cast<size_t>(kDepthMax)) {
      too_deep_ = true;
      return false;
    }
    frames_.push_back({stack_.size(), array});
    return true;
  }
  bool close(Value value) {
    stack_.resize(frames_.back().start);
    frames_.pop_back();
    return put(std::move(value));
  }
  // Of a key given twice the last one stays.
  void sort(Value::Object* members) {
    std::stable_sort(members->begin(), members->end(), [](auto& a, auto& b) { return a.first < b.first; });
    size_t kept = 0;
    for (size_t i = 1; i < members->size(); ++i) {
      if ((*members)[i].first == (*members)[kept].first) {
        if (duplicates_ && duplicates_->size() < 100) duplicates_->push_back(path((*members)[i].first));
        (*members)[kept].second = std::move((*members)[i].second);
      } else if (++kept != i) {
        (*members)[kept] = std::move((*members)[i]);
      }
    }
    members->resize(kept + 1);
  }
  // Where the innermost open object's member stands: "spec.containers[0].name".
  std::string path(const std::string& key) const {
    std::string out;
    for (size_t i = 0; i + 1 < frames_.size(); ++i) {
      const size_t inner = frames_[i + 1].start;
      if (frames_[i].array) {
        out += "[" + std::to_string(inner - frames_[i].start) + "]";
      } else {
        out += (out.empty() ? "" : ".") + stack_[inner - 1].first;
      }
    }
    return out + (out.empty() ? "" : ".") + key;
  }

  std::vector<std::string>* duplicates_;
  std::vector<Value::Member>& stack_;
  std::vector<Scratch::Frame>& frames_;
  Value root_;
  bool too_deep_ = false;
};

std::string_view in_words(rapidjson::ParseErrorCode code) {
  switch (code) {
    case rapidjson::kParseErrorDocumentEmpty:
      return "there is no value";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      return "a \\u escape is half of a surrogate pair";
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "a string does not end or has a control character";
    case rapidjson::kParseErrorNumberTooBig:
      return "a number is too large";
    case rapidjson::kParseErrorNumberMissFraction:
    case rapidjson::kParseErrorNumberMissExponent:
      return "a number is incomplete";
    case rapidjson::kParseErrorObjectMissName:
      return "a key is expected";
    case rapidjson::kParseErrorObjectMissColon:
      return "a colon is expected";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "a comma or } is expected";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "a comma or ] is expected";
    default:
      return "a value is expected";
  }
}

Status malformed(std::string_view what, size_t offset) {
  return Status(Reason::kBadRequest, "invalid JSON at byte " + std::to_string(offset) + ": " + std::string(what));
}

}  // namespace

Result<Value> parse(std::string_view text, std::vector<std::string>* duplicates) {
  // Checked here at eight bytes a step: the reader's own check takes each character apart.
  if (!is_utf8(text)) return malformed("it is not valid UTF-8", 0);
  // Strings are unescaped in place, in a copy: cheaper than taking each character through the reader's stack.
  thread_local Scratch scratch;
  const std::unique_ptr<Scratch, decltype([](Scratch* s) { s->tidy(); })> after(&scratch);
  std::vector<char>& copy = scratch.text;
  if (copy.size() < text.size() + kPadding) copy.resize(text.size() + kPadding);
  if (!text.empty()) std::memcpy(copy.data(), text.data(), text.size());
  std::memset(copy.data() + text.size(), 0, kPadding);
  rapidjson::InsituStringStream stream(copy.data());
  Builder builder(scratch, duplicates);
  rapidjson::Reader reader;
  const auto result = reader.Parse<kFlags>(stream, builder);
  if (builder.too_deep()) {
    return malformed("nested more than " + std::to_string(kDepthMax) + " deep", stream.Tell());
  }
  if (result.IsError()) return malformed(in_words(result.Code()), result.Offset());
  const size_t rest = text.find_first_not_of(" \t\r\n", std::min(stream.Tell(), text.size()));
  if (rest != std::string_view::npos) return malformed("something follows the value", rest);
  return builder.take();
}

}  // namespace lotse::json
