#include "plugins/runtime_containerd/request.h"

namespace lotse::runtime_containerd {
namespace {

[[noreturn]] void wrong_type(std::string_view key, const char* wanted) {
  refuse("the key \"" + std::string(key) + "\" must be " + wanted);
}

bool is_string(const Msg& value) { return value.is_text() || value.is_bin(); }

}  // namespace

void refuse(const std::string& sentence) { throw sdk::Failure(LOTSE_INVALID, sentence); }

Msg parse_request(std::string_view bytes) {
  Msg request = Msg::parse(bytes);
  if (!request.is_map()) refuse("a request must be a map");
  return request;
}

std::string get_text(const Msg& request, std::string_view key, std::string_view fallback) {
  const Msg& value = request[key];
  if (value.is_nil()) return std::string(fallback);
  if (!is_string(value)) wrong_type(key, "text");
  // Everything that is text ends up in paths, arguments and labels, where a NUL would cut it short.
  if (value.as_text().find('\0') != std::string_view::npos) wrong_type(key, "text without NUL");
  return value.str();
}

std::string need_text(const Msg& request, std::string_view key) {
  std::string value = get_text(request, key);
  if (value.empty()) refuse("the key \"" + std::string(key) + "\" is missing");
  return value;
}

int64_t get_int(const Msg& request, std::string_view key, int64_t fallback) {
  const Msg& value = request[key];
  if (value.is_nil()) return fallback;
  if (!value.is_int()) wrong_type(key, "an integer");
  return value.as_int(INT64_MAX);
}

int64_t need_int(const Msg& request, std::string_view key, int64_t minimum, int64_t maximum) {
  if (request[key].is_nil()) refuse("the key \"" + std::string(key) + "\" is missing");
  int64_t value = get_int(request, key);
  if (value < minimum || value > maximum) {
    refuse("the key \"" + std::string(key) + "\" must be from " + std::to_string(minimum) + " to " +
           std::to_string(maximum));
  }
  return value;
}

bool get_bool(const Msg& request, std::string_view key, bool fallback) {
  const Msg& value = request[key];
  if (value.is_nil()) return fallback;
  if (!value.is_bool()) wrong_type(key, "true or false");
  return value.as_bool();
}

const Msg& get_map(const Msg& request, std::string_view key) {
  static const Msg none = Msg::map();
  const Msg& value = request[key];
  if (value.is_nil()) return none;
  if (!value.is_map()) wrong_type(key, "a map");
  return value;
}

const Msg& get_array(const Msg& request, std::string_view key) {
  static const Msg none = Msg::array();
  const Msg& value = request[key];
  if (value.is_nil()) return none;
  if (!value.is_array()) wrong_type(key, "an array");
  return value;
}

std::vector<std::string> get_texts(const Msg& request, std::string_view key) {
  std::vector<std::string> out;
  for (const Msg& item : get_array(request, key).items()) {
    if (!is_string(item)) wrong_type(key, "an array of texts");
    if (item.as_text().find('\0') != std::string_view::npos) wrong_type(key, "an array of texts without NUL");
    out.push_back(item.str());
  }
  return out;
}

std::vector<int64_t> get_ints(const Msg& request, std::string_view key) {
  std::vector<int64_t> out;
  for (const Msg& item : get_array(request, key).items()) {
    if (!item.is_int()) wrong_type(key, "an array of integers");
    out.push_back(item.as_int(INT64_MAX));
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> get_text_map(const Msg& request, std::string_view key) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [name, value] : get_map(request, key).members()) {
    if (!is_string(value)) wrong_type(key, "a map of texts");
    out.emplace_back(name, value.str());
  }
  return out;
}

}  // namespace lotse::runtime_containerd
