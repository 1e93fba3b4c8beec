#include "core/schema/names.h"
#include "core/schema/validate.h"

namespace lotse::schema {
namespace {

using json::Value;

void check_mode(const Value& mode, const FieldPath& path, Errors* errors) {
  if (mode.is_number() && (mode.integer() < 0 || mode.integer() > 0777)) {
    errors->invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive");
  }
}

void check_file_path(std::string_view text, const FieldPath& path, Errors* errors) {
  if (text.empty()) return;
  if (auto why = relative_path(text); !why.empty())
    errors->invalid(path, text, why);
  else if (text.starts_with(".."))
    errors->invalid(path, text, "must not start with '..'");
}

void check_items(const Value& source, const FieldPath& path, Errors* errors) {
  const FieldPath list = path.child("items");
  check_mode(source["defaultMode"], path.child("defaultMode"), errors);
  for (size_t i = 0; i < source["items"].size(); ++i) {
    const FieldPath at = list.index(i);
    check_file_path(source["items"].at(i)["path"].str(), at.child("path"), errors);
    check_mode(source["items"].at(i)["mode"], at.child("mode"), errors);
  }
}

void check_downward_items(const Value& source, const FieldPath& path, Errors* errors) {
  check_items(source, path, errors);
  const FieldPath list = path.child("items");
  for (size_t i = 0; i < source["items"].size(); ++i) {
    const Value& item = source["items"].at(i);
    const FieldPath at = list.index(i);
    const bool field = !item["fieldRef"].is_null(), resource = !item["resourceFieldRef"].is_null();
    if (field && resource)
      errors->invalid(at, item, "fieldRef and resourceFieldRef can not be specified simultaneously");
    if (!field && !resource) errors->required(at, "one of fieldRef and resourceFieldRef is required");
    const FieldPath container = at.child("resourceFieldRef");
    if (resource && item["resourceFieldRef"]["containerName"].str().empty())
      errors->required(container.child("containerName"));
  }
}

void check_projected(const Value& source, const FieldPath& path, Errors* errors) {
  const FieldPath list = path.child("sources");
  check_mode(source["defaultMode"], path.child("defaultMode"), errors);
  for (size_t i = 0; i < source["sources"].size(); ++i) {
    const Value& s = source["sources"].at(i);
    const FieldPath at = list.index(i);
    if (s.size() > 1) errors->forbidden(at, "may not specify more than 1 volume type per source");
    if (s.empty()) errors->required(at, "must specify a source");
    for (std::string_view kind : {"secret", "configMap"}) {
      if (s[kind].is_null()) continue;
      const FieldPath inner = at.child(kind);
      if (s[kind]["name"].str().empty()) errors->required(inner.child("name"));
      check_items(s[kind], inner, errors);
    }
    if (!s["downwardAPI"].is_null()) check_downward_items(s["downwardAPI"], at.child("downwardAPI"), errors);
    const Value& token = s["serviceAccountToken"];
    if (token.is_null()) continue;
    const FieldPath inner = at.child("serviceAccountToken");
    check_file_path(token["path"].str(), inner.child("path"), errors);
    const int64_t seconds = token["expirationSeconds"].integer(3600);
    if (seconds < 600)
      errors->invalid(inner.child("expirationSeconds"), seconds, "may not specify a duration less than 10 minutes");
    if (seconds > (1ll << 32))
      errors->invalid(inner.child("expirationSeconds"), seconds, "may not specify a duration larger than 2^32 seconds");
  }
}

void check_source(std::string_view kind, const Value& v, const FieldPath& path, Errors* errors) {
  if (kind == "hostPath") {
    const std::string_view text = v["path"].str();
    if (relative_path(text.starts_with('/') ? text.substr(1) : text) == "must not contain '..'")
      errors->invalid(path.child("path"), text, "must not contain '..'");
  } else if (kind == "emptyDir") {
    if (v["sizeLimit"].str().starts_with('-'))
      errors->invalid(path.child("sizeLimit"), v["sizeLimit"], "must be greater than or equal to 0");
  } else if (kind == "secret") {
    if (v["secretName"].str().empty()) errors->required(path.child("secretName"));
    check_items(v, path, errors);
  } else if (kind == "configMap") {
    if (v["name"].str().empty()) errors->required(path.child("name"));
    check_items(v, path, errors);
  } else if (kind == "downwardAPI") {
    check_downward_items(v, path, errors);
  } else if (kind == "projected") {
    check_projected(v, path, errors);
  } else if (kind == "nfs") {
    if (const std::string_view p = v["path"].str(); !p.empty() && !p.starts_with('/'))
      errors->invalid(path.child("path"), p, "must be an absolute path");
  } else if (kind == "image") {
    if (v["reference"].str().empty()) errors->required(path.child("reference"));
  } else if (kind == "ephemeral") {
    if (v["volumeClaimTemplate"].is_null()) errors->required(path.child("volumeClaimTemplate"));
  }
}

}  // namespace

void validate_volumes(const Value& volumes, const FieldPath& path, Errors* errors) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < volumes.size(); ++i) {
    const Value& volume = volumes.at(i);
    const FieldPath at = path.index(i);
    const std::string_view name = volume["name"].str();
    if (!name.empty()) {
      errors->check(at.child("name"), name, dns_label(name));
      if (!names.insert(name).second) errors->duplicate(at.child("name"), name);
    }
    size_t sources = 0;
    for (const auto& [kind, source] : volume.members()) {
      if (kind == "name" || source.is_null()) continue;
      const FieldPath inner = at.child(kind);
      if (++sources > 1)
        errors->forbidden(inner, "may not specify more than 1 volume type");
      else
        check_source(kind, source, inner, errors);
    }
    if (sources == 0) errors->required(at, "must specify a volume type");
  }
}

}  // namespace lotse::schema
