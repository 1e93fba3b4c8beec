#include "core/object/json.h"

namespace lotse::json {
namespace {

constexpr std::string_view kFirst[] = {"apiVersion", "kind", "metadata"};

bool goes_first(std::string_view key) {
  return key == kFirst[0] || key == kFirst[1] || key == kFirst[2];
}

void append_escaped(std::string* out, unsigned char c) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out->append("\\\"");
      break;
    case '\\':
      out->append("\\\\");
      break;
    case '\b':
      out->append("\\b");
      break;
    case '\f':
      out->append("\\f");
      break;
    case '\n':
      out->append("\\n");
      break;
    case '\r':
      out->append("\\r");
      break;
    case '\t':
      out->append("\\t");
      break;
    default:
      out->append("\\u00");
      out->push_back(kHex[c >> 4]);
      out->push_back(kHex[c & 15]);
  }
}

void append_string(std::string* out, std::string_view text) {
  out->push_back('"');
  size_t done = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out->append(text.data() + done, i - done);
    append_escaped(out, c);
    done = i + 1;
  }
  out->append(text.data() + done, text.size() - done);
  out->push_back('"');
}

// indent < 0: canonical, without any space.
struct Writer {
  std::string* out;
  int indent;

  void line(int level) {
    if (indent < 0) return;
    out->push_back('\n');
    out->append(static_cast<size_t>(level * indent), ' ');
  }
  void member(std::string_view key, const Value& value, int level, bool* first) {
    if (!*first) out->push_back(',');
    *first = false;
    line(level);
    append_string(out, key);
    out->push_back(':');
    if (indent >= 0) out->push_back(' ');
    write(value, level);
  }
  void object(const Value& value, int level) {
    out->push_back('{');
    bool first = true;
    const bool top = level == 0;
    if (top) {
      for (std::string_view key : kFirst) {
        if (const Value* v = value.find(key)) member(key, *v, 1, &first);
      }
    }
    for (const auto& [key, v] : value.members()) {
      if (!top || !goes_first(key)) member(key, v, level + 1, &first);
    }
    if (!first) line(level);
    out->push_back('}');
  }
  void array(const Value& value, int level) {
    out->push_back('[');
    bool first = true;
    for (const Value& item : value.items()) {
      if (!first) out->push_back(',');
      first = false;
      line(level + 1);
      write(item, level + 1);
    }
    if (!first) line(level);
    out->push_back(']');
  }
  void write(const Value& value, int level) {
    switch (value.type()) {
      case Type::kNull:
        out->append("null");
        break;
      case Type::kBool:
        out->append(value.boolean() ? "true" : "false");
        break;
      case Type::kNumber:
        out->append(value.number_text());
        break;
      case Type::kString:
        append_string(out, value.str());
        break;
      case Type::kArray:
        array(value, level);
        break;
      case Type::kObject:
        object(value, level);
        break;
    }
  }
};

}  // namespace

namespace {

// Canonical text, written in a buffer of the thread's own: what is kept is then allocated once and fits.
template <class Kept>
Kept write_as(const Value& value) {
  constexpr size_t kBufferMax = 64 * 1024;
  thread_local std::string buffer;
  buffer.clear();
  Writer{&buffer, -1}.write(value, 0);
  Kept kept{std::string_view(buffer)};
  if (buffer.capacity() > kBufferMax) std::string().swap(buffer);
  return kept;
}

}  // namespace

std::string write(const Value& value) {
  return write_as<std::string>(value);
}

Bytes write_bytes(const Value& value) {
  return write_as<Bytes>(value);
}

std::string write_pretty(const Value& value) {
  std::string out;
  Writer{&out, 2}.write(value, 0);
  out.push_back('\n');
  return out;
}

}  // namespace lotse::json
