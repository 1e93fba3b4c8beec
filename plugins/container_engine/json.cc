#include "plugins/container_engine/json.h"

#define RAPIDJSON_PARSE_DEFAULT_FLAGS (kParseIterativeFlag | kParseValidateEncodingFlag)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wclass-memaccess"
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#pragma GCC diagnostic pop

namespace lotse::container_engine {
namespace {

using rapidjson::Document;
using rapidjson::Value;

const Value& value_of(const void* value) {
  static const Value null;
  return value != nullptr ? *static_cast<const Value*>(value) : null;
}

constexpr int kDepthMax = 64;

sdk::Msg message_of(const Value& value, int depth) {
  using sdk::Msg;
  if (depth > kDepthMax) return Msg();
  if (value.IsBool()) return Msg(value.GetBool());
  if (value.IsInt64()) return Msg(value.GetInt64());
  if (value.IsUint64()) return Msg(value.GetUint64());
  if (value.IsDouble()) return Msg(value.GetDouble());
  if (value.IsString()) return Msg(std::string(value.GetString(), value.GetStringLength()));
  if (value.IsArray()) {
    Msg out = Msg::array();
    for (auto& item : value.GetArray()) out.push(message_of(item, depth + 1));
    return out;
  }
  if (value.IsObject()) {
    Msg out = Msg::map();
    for (auto& member : value.GetObject()) {
      out.set({member.name.GetString(), member.name.GetStringLength()}, message_of(member.value, depth + 1));
    }
    return out;
  }
  return Msg();
}

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void write(Writer& out, std::string_view text) {
  out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

void write(Writer& out, const sdk::Msg& value) {
  if (value.is_bool()) {
    out.Bool(value.as_bool());
  } else if (value.is_int()) {
    if (value.as_uint() > uint64_t{INT64_MAX}) {
      out.Uint64(value.as_uint());
    } else {
      out.Int64(value.as_int());
    }
  } else if (value.is_text() || value.is_bin()) {
    write(out, value.as_text());
  } else if (value.is_array()) {
    out.StartArray();
    for (auto& item : value.items()) write(out, item);
    out.EndArray();
  } else if (value.is_map()) {
    out.StartObject();
    for (auto& [key, item] : value.members()) {
      write(out, std::string_view(key));
      write(out, item);
    }
    out.EndObject();
  } else if (value.is_nil()) {
    out.Null();
  } else {
    out.Double(value.as_double());
  }
}

}  // namespace

std::string json_text(const sdk::Msg& value) {
  rapidjson::StringBuffer buffer;
  Writer writer(buffer);
  write(writer, value);
  return {buffer.GetString(), buffer.GetSize()};
}

Json Json::parse(std::string_view text) {
  auto document = std::make_shared<Document>();
  document->Parse(text.data(), text.size());
  Json out;
  if (document->HasParseError()) return out;
  out.value_ = static_cast<const Value*>(document.get());
  out.document_ = std::move(document);
  return out;
}

Json Json::operator[](const char* key) const {
  Json out;
  const Value& value = value_of(value_);
  if (!value.IsObject()) return out;
  auto it = value.FindMember(key);
  if (it == value.MemberEnd()) return out;
  out.document_ = document_;
  out.value_ = &it->value;
  return out;
}

std::vector<Json> Json::items() const {
  std::vector<Json> out;
  const Value& value = value_of(value_);
  if (!value.IsArray()) return out;
  for (auto& item : value.GetArray()) {
    out.emplace_back();
    out.back().document_ = document_;
    out.back().value_ = &item;
  }
  return out;
}

std::vector<std::string> Json::keys() const {
  std::vector<std::string> out;
  const Value& value = value_of(value_);
  if (!value.IsObject()) return out;
  for (auto& member : value.GetObject()) out.emplace_back(member.name.GetString(), member.name.GetStringLength());
  return out;
}

std::string Json::text() const {
  const Value& value = value_of(value_);
  return value.IsString() ? std::string(value.GetString(), value.GetStringLength()) : std::string();
}

int64_t Json::number(int64_t fallback) const {
  const Value& value = value_of(value_);
  return value.IsInt64() ? value.GetInt64() : fallback;
}

bool Json::boolean() const {
  const Value& value = value_of(value_);
  return value.IsBool() && value.GetBool();
}

sdk::Msg Json::message() const {
  return message_of(value_of(value_), 0);
}

bool Json::is_null() const {
  return value_of(value_).IsNull();
}
bool Json::is_array() const {
  return value_of(value_).IsArray();
}
bool Json::is_object() const {
  return value_of(value_).IsObject();
}

std::string exec_process_json(std::string_view spec, const std::vector<std::string>& command, bool tty) {
  Document document;
  document.Parse(spec.data(), spec.size());
  if (document.HasParseError() || !document.IsObject()) return {};
  auto found = document.FindMember("process");
  if (found == document.MemberEnd() || !found->value.IsObject()) return {};
  Value& process = found->value;
  auto& memory = document.GetAllocator();
  auto text = [&](std::string_view s) { return Value(s.data(), static_cast<rapidjson::SizeType>(s.size()), memory); };

  Value args(rapidjson::kArrayType);
  for (auto& word : command) args.PushBack(text(word), memory);
  process.RemoveMember("args");
  process.AddMember("args", args, memory);
  process.RemoveMember("terminal");
  process.AddMember("terminal", tty, memory);
  process.RemoveMember("consoleSize");
  process.RemoveMember("commandLine");
  if (tty) {
    auto env = process.FindMember("env");
    if (env == process.MemberEnd() || !env->value.IsArray()) {
      process.RemoveMember("env");
      process.AddMember("env", Value(rapidjson::kArrayType), memory);
      env = process.FindMember("env");
    }
    bool has_term = false;
    for (auto& item : env->value.GetArray()) {
      has_term |= item.IsString() && std::string_view(item.GetString(), item.GetStringLength()).starts_with("TERM=");
    }
    if (!has_term) env->value.PushBack(text("TERM=xterm"), memory);
  }
  rapidjson::StringBuffer out;
  rapidjson::Writer<rapidjson::StringBuffer> writer(out);
  process.Accept(writer);
  return {out.GetString(), out.GetSize()};
}

}  // namespace lotse::container_engine
