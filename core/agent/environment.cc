#include "core/agent/environment.h"

#include "core/base/ids.h"

namespace lotse::agent {
namespace {

std::string kind_text(RefKind kind) { return kind == RefKind::kConfigMap ? "configmap" : "secret"; }

// nullptr with *missing: it does not exist. A Status: it was not read yet.
Result<const Object*> find(const Referenced& refs, RefKind kind, const std::string& name) {
  auto it = refs.find({kind, name});
  if (it == refs.end())
    return Status(Reason::kServiceUnavailable, kind_text(kind) + " \"" + name + "\" has not been read yet");
  return it->second.get();
}

Status not_found(RefKind kind, const std::string& name) {
  return Status(Reason::kInvalid, kind_text(kind) + " \"" + name + "\" not found");
}

bool usable_name(std::string_view name) {
  if (name.empty() || name == "." || name.starts_with("..")) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127 && c != '='; });
}

std::string upper(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

struct Builder {
  const json::Value& pod;
  const json::Value& container;
  const Referenced& refs;
  const PodFacts& facts;
  Environment list;
  EnvironmentMap values;

  void put(const std::string& name, std::string value) {
    values[name] = value;
    for (auto& have : list) {
      if (have.first == name) {
        have.second = std::move(value);
        return;
      }
    }
    list.emplace_back(name, std::move(value));
  }

  Status take_all(const json::Value& ref, RefKind kind, std::string_view prefix) {
    std::string name(ref["name"].str());
    LOTSE_TRY(const Object* object, find(refs, kind, name));
    if (!object) return ref["optional"].boolean() ? Status() : not_found(kind, name);
    for (auto& [key, value] : reference_data(*object, kind)) {
      std::string variable = std::string(prefix) + key;
      if (usable_name(variable)) put(variable, std::move(value));
    }
    return {};
  }

  Status take_key(const std::string& variable, const json::Value& ref, RefKind kind) {
    std::string name(ref["name"].str()), key(ref["key"].str());
    LOTSE_TRY(const Object* object, find(refs, kind, name));
    auto value = object ? reference_data(*object, kind, key) : std::nullopt;
    if (value) {
      put(variable, std::move(*value));
    } else if (!ref["optional"].boolean()) {
      if (!object) return not_found(kind, name);
      return Status(Reason::kInvalid, "couldn't find key " + key + " in " +
                                          (kind == RefKind::kConfigMap ? "ConfigMap " : "Secret ") +
                                          std::string(pod["metadata"]["namespace"].str()) + "/" + name);
    }
    return {};
  }

  Status take(const json::Value& e) {
    std::string name(e["name"].str());
    const auto& from = e["valueFrom"];
    if (!from.is_object()) {
      put(name, expand(e["value"].str(), values));
      return {};
    }
    if (auto* ref = from.find("fieldRef")) {
      LOTSE_TRY(auto value, field_value(pod, (*ref)["fieldPath"].str(), facts));
      put(name, std::move(value));
    } else if (auto* resource = from.find("resourceFieldRef")) {
      LOTSE_TRY(auto value, resource_value(pod, *resource, container, facts));
      put(name, std::move(value));
    } else if (auto* map = from.find("configMapKeyRef")) {
      return take_key(name, *map, RefKind::kConfigMap);
    } else if (auto* secret = from.find("secretKeyRef")) {
      return take_key(name, *secret, RefKind::kSecret);
    }
    return {};
  }
};

}  // namespace

std::optional<std::string> reference_data(const Object& object, RefKind kind, std::string_view key) {
  const json::Value doc = object.value();
  if (auto* v = doc["data"].find(key)) {
    if (kind == RefKind::kConfigMap) return std::string(v->str());
    std::string plain;
    return unbase64(v->str(), &plain) ? std::optional(plain) : std::nullopt;
  }
  if (auto* v = doc["binaryData"].find(key)) {
    std::string plain;
    if (unbase64(v->str(), &plain)) return plain;
  }
  return std::nullopt;
}

std::map<std::string, std::string> reference_data(const Object& object, RefKind kind) {
  std::map<std::string, std::string> out;
  const json::Value doc = object.value();
  for (const char* member : {"binaryData", "data"}) {
    bool coded = kind == RefKind::kSecret || member[0] == 'b';
    for (const auto& [key, value] : doc[member].members()) {
      std::string plain;
      if (!coded) out[key] = std::string(value.str());
      else if (unbase64(value.str(), &plain)) out[key] = std::move(plain);
    }
  }
  return out;
}

std::string expand(std::string_view text, const EnvironmentMap& values) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    if (text[i + 1] == '$') {
      out += '$';
      ++i;
      continue;
    }
    auto close = text[i + 1] == '(' ? text.find(')', i) : std::string_view::npos;
    if (close == std::string_view::npos) {
      out += '$';
      continue;
    }
    auto name = text.substr(i + 2, close - i - 2);
    auto it = values.find(std::string(name));
    out += it == values.end() ? std::string(text.substr(i, close - i + 1)) : it->second;
    i = close;
  }
  return out;
}

// As Docker's links had them: Kubernetes documents them under "Accessing the Service", "Environment Variables".
EnvironmentMap service_environment(const std::string& ns, bool links, const std::vector<ServiceLink>& services) {
  EnvironmentMap out;
  auto add = [&](const ServiceLink& s) {
    if (s.ip.empty() || s.ip == "None" || s.ports.empty()) return;
    auto prefix = upper(s.name);
    std::string host = s.ip.find(':') == std::string::npos ? s.ip : "[" + s.ip + "]";
    out[prefix + "_SERVICE_HOST"] = s.ip;
    out[prefix + "_SERVICE_PORT"] = std::to_string(s.ports.front().port);
    for (size_t i = 0; i < s.ports.size(); ++i) {
      const auto& p = s.ports[i];
      auto port = std::to_string(p.port);
      if (!p.name.empty()) out[prefix + "_SERVICE_PORT_" + upper(p.name)] = port;
      std::string protocol = p.protocol.empty() ? "TCP" : p.protocol, lower = protocol;
      for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      auto url = lower + "://" + host + ":" + port;
      auto base = prefix + "_PORT_" + port + "_" + upper(protocol);
      if (i == 0) out[prefix + "_PORT"] = url;
      out[base] = url;
      out[base + "_PROTO"] = lower;
      out[base + "_PORT"] = port;
      out[base + "_ADDR"] = s.ip;
    }
  };
  for (const auto& s : services) {
    if (s.ns == "default" && s.name == "kubernetes") add(s);
  }
  for (const auto& s : services) {
    if (links && s.ns == ns) add(s);
  }
  return out;
}

Result<Environment> make_environment(const json::Value& pod, const json::Value& container, const Referenced& refs,
                                     const std::vector<ServiceLink>& services, const PodFacts& facts) {
  auto links = service_environment(std::string(pod["metadata"]["namespace"].str()),
                                   pod["spec"]["enableServiceLinks"].boolean(true), services);
  Builder b{pod, container, refs, facts, {}, links};
  for (const auto& from : container["envFrom"].items()) {
    if (auto* map = from.find("configMapRef"))
      LOTSE_CHECK_OK(b.take_all(*map, RefKind::kConfigMap, from["prefix"].str()));
    if (auto* secret = from.find("secretRef"))
      LOTSE_CHECK_OK(b.take_all(*secret, RefKind::kSecret, from["prefix"].str()));
  }
  for (const auto& e : container["env"].items()) LOTSE_CHECK_OK(b.take(e));
  for (auto& [name, value] : links) {
    bool have = std::any_of(b.list.begin(), b.list.end(), [&](const auto& e) { return e.first == name; });
    if (!have) b.list.emplace_back(name, std::move(value));
  }
  return std::move(b.list);
}

}  // namespace lotse::agent
