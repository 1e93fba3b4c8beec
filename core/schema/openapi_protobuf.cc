// The OpenAPI v2 document as gnostic's message openapi.v2.Document, written by hand: the field numbers are those of
// OpenAPIv2.proto, only of what our documents hold. kubectl up to 1.26 reads the schema in no other form.
#include "core/schema/openapi.h"

namespace lotse::schema {
namespace {

using json::Value;
using openapi::Dialect;

class Message {
 public:
  Message& text(uint32_t field, std::string_view value) { return value.empty() ? *this : bytes(field, value); }
  Message& message(uint32_t field, const Message& m) { return bytes(field, m.out_); }
  Message& flag(uint32_t field, bool value) {
    if (value) varint(field << 3), varint(1);
    return *this;
  }
  const std::string& data() const { return out_; }

 private:
  Message& bytes(uint32_t field, std::string_view value) {
    varint(field << 3 | 2), varint(value.size());
    out_.append(value);
    return *this;
  }
  void varint(uint64_t n) {
    for (; n >= 0x80; n >>= 7) out_.push_back(static_cast<char>(n | 0x80));
    out_.push_back(static_cast<char>(n));
  }
  std::string out_;
};

Message named(std::string_view name, const Message& value) {
  return Message().text(1, name).message(2, value);
}

// x-… members are vendor extensions: NamedAny with YAML text, which JSON is.
void add_extensions(const Value& v, uint32_t field, Message* out) {
  for (const auto& [key, value] : v.members()) {
    if (key.starts_with("x-")) out->message(field, named(key, Message().text(2, json::write(value))));
  }
}

Message schema_message(const Value& v) {
  Message out;
  out.text(1, v["$ref"].str()).text(2, v["format"].str());
  for (const Value& name : v["required"].items()) out.text(19, name.str());
  if (v.has("additionalProperties")) out.message(21, Message().message(1, schema_message(v["additionalProperties"])));
  if (v.has("type")) out.message(22, Message().text(1, v["type"].str()));
  if (v.has("items")) out.message(23, Message().message(1, schema_message(v["items"])));
  if (v.has("properties")) {
    Message properties;
    for (const auto& [name, schema] : v["properties"].members())
      properties.message(1, named(name, schema_message(schema)));
    out.message(25, properties);
  }
  add_extensions(v, 31, &out);
  return out;
}

// ParametersItem
Message parameter_message(const Value& v) {
  const std::string_view in = v["in"].str();
  if (in == "body") {
    Message body;
    body.text(2, v["name"].str()).text(3, in).flag(4, v["required"].boolean()).message(5, schema_message(v["schema"]));
    return Message().message(1, Message().message(1, body));
  }
  Message sub;
  sub.flag(1, v["required"].boolean())
      .text(2, in)
      .text(4, v["name"].str())
      .text(in == "query" ? 6 : 5, v["type"].str());
  const Message non_body = Message().message(in == "query" ? 3 : 4, sub);
  return Message().message(1, Message().message(2, non_body));
}

Message operation_message(const Value& v) {
  Message out, responses;
  for (const Value& tag : v["tags"].items()) out.text(1, tag.str());
  out.text(5, v["operationId"].str());
  for (const Value& type : v["produces"].items()) out.text(6, type.str());
  for (const Value& type : v["consumes"].items()) out.text(7, type.str());
  for (const Value& p : v["parameters"].items()) out.message(8, parameter_message(p));
  for (const auto& [code, r] : v["responses"].members()) {
    Message response;
    response.text(1, r["description"].str()).message(2, Message().message(1, schema_message(r["schema"])));
    responses.message(1, named(code, Message().message(1, response)));
  }
  out.message(9, responses);
  add_extensions(v, 13, &out);
  return out;
}

Message path_message(const Value& item) {
  constexpr std::pair<std::string_view, uint32_t> kMethods[] = {
      {"get", 2}, {"put", 3}, {"post", 4}, {"delete", 5}, {"patch", 8}};
  Message out;
  for (auto [method, field] : kMethods) {
    if (item.has(method)) out.message(field, operation_message(item[method]));
  }
  for (const Value& p : item["parameters"].items()) out.message(9, parameter_message(p));
  return out;
}

}  // namespace

Bytes openapi_v2_protobuf() {
  static std::mutex mutex;
  static Bytes cached;
  std::lock_guard lock(mutex);
  if (!cached.empty()) return cached;
  Message document, paths, definitions;
  document.text(1, "2.0").message(2, Message().text(1, openapi::kTitle).text(2, openapi::kVersion));
  openapi::each_path(
      Dialect::kV2, [](auto&) { return true; },
      [&](std::string_view path, const Value& item) { paths.message(2, named(path, path_message(item))); });
  document.message(8, paths);
  openapi::each_schema(Dialect::kV2, nullptr, [&](std::string_view name, const Value& schema) {
    definitions.message(1, named(name, schema_message(schema)));
  });
  document.message(9, definitions);
  cached = Bytes(document.data());
  return cached;
}

}  // namespace lotse::schema
