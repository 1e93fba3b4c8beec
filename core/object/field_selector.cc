#include "core/object/cursor.h"
#include "core/object/selector.h"

namespace lotse {
namespace {

// What upstream's selectable fields read as when the document does not have them (a Go bool or int has a zero).
std::string_view absent_value(std::string_view path) {
  if (path == "spec.unschedulable" || path == "spec.hostNetwork") return "false";
  if (path == "status.replicas" || path == "status.successful") return "0";
  return {};
}

std::string read(const Object& object, std::string_view path) {
  const ObjectHeader& h = object.header();
  if (path == "metadata.name") return h.name;
  if (path == "metadata.namespace") return h.ns;
  if (path == "spec.nodeName" && h.kind == "Pod") return h.node_name;
  if (h.kind == "Event" && path == "source") {
    std::string component = read(object, h.api_version == "v1" ? "source.component" : "deprecatedSource.component");
    return !component.empty() ? component
                              : read(object, h.api_version == "v1" ? "reportingComponent" : "reportingController");
  }
  const std::string_view raw = find_raw(object.bytes(), path);
  if (raw.empty() || raw == "null") return std::string(absent_value(path));
  return raw[0] == '"' ? unescape(raw) : std::string(raw);
}

// Commas, equal signs and backslashes of a value are written with a backslash.
bool take_value(std::string_view text, size_t* at, std::string* out) {
  for (; *at < text.size() && text[*at] != ','; ++*at) {
    if (text[*at] == '=') return false;
    if (text[*at] != '\\') {
      out->push_back(text[*at]);
      continue;
    }
    if (++*at == text.size() || std::string_view("\\,=").find(text[*at]) == std::string_view::npos) return false;
    out->push_back(text[*at]);
  }
  return true;
}

}  // namespace

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
  FieldSelector out;
  for (size_t at = 0; at < text.size(); ++at) {
    Requirement r;
    const auto wrong = [&](const char* why) {
      return Status(Reason::kBadRequest, "unable to parse the field selector \"" + std::string(text) + "\": " + why);
    };
    const size_t sign = text.find_first_of("=!,", at);
    if (sign == at && text[at] == ',') continue;
    if (sign == text.npos || text[sign] == ',') return wrong("= or != is expected");
    r.path = std::string(text.substr(at, sign - at));
    at = sign + 1;
    r.equal = text[sign] == '=';
    const bool second = at < text.size() && text[at] == '=';
    if (!r.equal && !second) return wrong("= or != is expected");
    at += second;
    if (!take_value(text, &at, &r.value)) return wrong("a value has an unescaped sign");
    out.requirements_.push_back(std::move(r));
  }
  return out;
}

bool FieldSelector::matches(const Object& object) const {
  return std::all_of(requirements_.begin(), requirements_.end(),
                     [&](const Requirement& r) { return (read(object, r.path) == r.value) == r.equal; });
}

}  // namespace lotse
