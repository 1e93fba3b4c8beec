#include "core/schema/field_errors.h"

namespace lotse::schema {
namespace {

constexpr size_t kCausesMax = 200;

std::string shown(const json::Value& value) {
  std::string text = json::write(value);
  if (text.size() > 1024) {
    text.resize(1024);
    text.append("...");
  }
  return text;
}

std::string with(std::string form, std::string_view why) {
  if (!why.empty()) form += ": " + std::string(why);
  return form;
}

}  // namespace

void Errors::add(const FieldPath& path, std::string_view reason, std::string message) {
  if (causes_.size() < kCausesMax) causes_.push_back({path.text(), std::string(reason), std::move(message)});
}
void Errors::required(const FieldPath& path, std::string_view why) {
  add(path, "FieldValueRequired", with("Required value", why));
}
void Errors::invalid(const FieldPath& path, const json::Value& value, std::string_view why) {
  add(path, "FieldValueInvalid", with("Invalid value: " + shown(value), why));
}
void Errors::not_supported(const FieldPath& path, const json::Value& value, std::vector<std::string_view> choices) {
  std::string list;
  for (std::string_view c : choices) list += (list.empty() ? "\"" : ", \"") + std::string(c) + "\"";
  add(path, "FieldValueNotSupported",
      "Unsupported value: " + shown(value) + (list.empty() ? "" : ": supported values: " + list));
}
void Errors::forbidden(const FieldPath& path, std::string_view why) {
  add(path, "FieldValueForbidden", with("Forbidden", why));
}
void Errors::duplicate(const FieldPath& path, const json::Value& value) {
  add(path, "FieldValueDuplicate", "Duplicate value: " + shown(value));
}
void Errors::not_found(const FieldPath& path, const json::Value& value) {
  add(path, "FieldValueNotFound", "Not found: " + shown(value));
}
void Errors::too_long(const FieldPath& path, size_t bytes_max) {
  add(path, "FieldValueTooLong", "Too long: may not be more than " + std::to_string(bytes_max) + " bytes");
}
void Errors::too_many(const FieldPath& path, size_t actual, size_t items_max) {
  add(path, "FieldValueTooMany",
      "Too many: " + std::to_string(actual) + ": must have at most " + std::to_string(items_max) + " items");
}
void Errors::check(const FieldPath& path, std::string_view value, const std::string& why) {
  if (!why.empty()) invalid(path, value, why);
}

}  // namespace lotse::schema
