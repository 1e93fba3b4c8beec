#include "core/api/list_query.h"

#include <charconv>

#include "core/api/revision.h"
#include "core/api/server_impl.h"
#include "core/base/ids.h"

namespace lotse::api {
namespace {

constexpr std::string_view kTokenVersion = "meta.k8s.io/v1";

Status bad_match(const Call& call, std::string_view why) {
  return Status::invalid("meta.k8s.io", "ListOptions", "",
                         {{"resourceVersionMatch", "FieldValueForbidden", "Forbidden: " + std::string(why)}});
  (void)call;
}

Status read_token(std::string_view token, store::ListQuery* query) {
  std::string text;
  const Status bad(Reason::kBadRequest, "continue key is not valid");
  if (!unbase64url(token, &text)) return bad;
  const auto v = json::parse(text);
  if (!v.ok() || (*v)["v"].str() != kTokenVersion) return bad;
  const int64_t revision = (*v)["rv"].integer();
  if (revision == 0) return bad;
  query->revision = revision > 0 ? static_cast<uint64_t>(revision) : 0;  // -1: from here on as it is now
  query->after_ns = (*v)["ns"].str();
  query->after_name = (*v)["name"].str();
  return query->after_name.empty() ? bad : Status();
}

// The table of API concepts: which revision a list is served at.
Status read_revision(const Call& call, store::ListQuery* query) {
  const Request& r = call.request;
  const std::string_view text = r.option("resourceVersion"), match = r.option("resourceVersionMatch");
  LOTSE_TRY(const uint64_t revision, parse_revision(text));
  if (!r.option("continue").empty()) {
    if (revision != 0) return {Reason::kBadRequest, "specifying resource version is not allowed when using continue"};
    if (!match.empty()) return bad_match(call, "resourceVersionMatch is forbidden when continue is provided");
    return read_token(r.option("continue"), query);
  }
  if (!match.empty() && text.empty() && !r.has_option("sendInitialEvents")) {
    return bad_match(call, "resourceVersionMatch is forbidden unless resourceVersion is provided");
  }
  if (!match.empty() && match != "Exact" && match != "NotOlderThan") {
    return Status::invalid("meta.k8s.io", "ListOptions", "",
                           {{"resourceVersionMatch", "FieldValueNotSupported",
                             "Unsupported value: \"" + std::string(match) + "\": supported values: \"Exact\", \"NotOlderThan\""}});
  }
  if (match == "Exact" && revision == 0) return bad_match(call, "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"");
  LOTSE_CHECK_OK(check_reached(call.server, revision));
  const bool legacy_exact = match.empty() && query->limit != 0;
  if (revision != 0 && (match == "Exact" || legacy_exact)) query->revision = revision;
  return {};
}

}  // namespace

Result<Selection> read_selection(const Call& call) {
  Selection s;
  if (auto labels = LabelSelector::parse(call.request.option("labelSelector")); labels.ok()) {
    s.labels = *std::move(labels);
  } else {
    return Status(Reason::kBadRequest, "unable to parse requirement: " + labels.status().message);
  }
  auto fields = FieldSelector::parse(call.request.option("fieldSelector"));
  if (!fields.ok()) return Status(Reason::kBadRequest, fields.status().message);
  for (const auto& f : fields->requirements()) {
    const auto& known = call.resource->field_selectors;
    const bool meta = f.path == "metadata.name" || f.path == "metadata.namespace";
    if (!meta && std::find(known.begin(), known.end(), f.path) == known.end()) {
      return Status(Reason::kBadRequest, "field label not supported: " + f.path);
    }
    if (f.path == "metadata.name" && f.equal) s.name = f.value;
  }
  s.fields = *std::move(fields);
  return s;
}

Result<store::ListQuery> read_list(const Call& call) {
  store::ListQuery query;
  query.resource = call.stored();
  query.ns = call.request.ns;
  if (const std::string_view text = call.request.option("limit"); !text.empty()) {
    int64_t limit = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc() || end != text.data() + text.size() || limit < 0) {
      return Status(Reason::kBadRequest, "limit must be a number that is not negative");
    }
    query.limit = static_cast<size_t>(limit);
  }
  LOTSE_TRY(auto selection, read_selection(call));
  query.labels = std::move(selection.labels);
  query.fields = std::move(selection.fields);
  LOTSE_CHECK_OK(read_revision(call, &query));
  return query;
}

std::string continue_token(uint64_t revision, std::string_view last_ns, std::string_view last_name) {
  json::Value v = json::Value::object({{"v", kTokenVersion}, {"name", last_name}});
  if (!last_ns.empty()) v.set("ns", last_ns);
  if (revision == 0) {
    v.set("rv", -1);
  } else {
    v.set("rv", revision);
  }
  return base64url(json::write(v));
}

}  // namespace lotse::api
