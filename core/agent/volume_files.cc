// The contents of configMap, secret, downwardAPI and projected volumes.
#include "core/agent/environment.h"
#include "core/agent/volumes.h"

namespace lotse::agent {
namespace {

mode_t mode_of(const json::Value& item, mode_t fallback) {
  return item.is_integer() ? static_cast<mode_t>(item.integer() & 07777) : fallback;
}

std::string text(RefKind kind, const std::string& name) {
  return (kind == RefKind::kConfigMap ? "configmap \"" : "secret \"") + name + "\"";
}

// All keys of a reference, or those of `items` under their paths.
Status add_reference(const VolumeInput& in, const json::Value& source, RefKind kind, const std::string& name,
                     mode_t mode, Payload* out) {
  bool optional = source["optional"].boolean();
  auto it = in.refs.find({kind, name});
  if (it == in.refs.end()) return Status(Reason::kServiceUnavailable, text(kind, name) + " has not been read yet");
  if (!it->second) return optional ? Status() : Status(Reason::kInvalid, text(kind, name) + " not found");
  auto data = reference_data(*it->second, kind);
  if (source["items"].empty()) {
    for (auto& [key, bytes] : data) (*out)[key] = {std::move(bytes), mode, std::nullopt};
    return {};
  }
  for (const auto& item : source["items"].items()) {
    std::string key(item["key"].str());
    auto found = data.find(key);
    if (found == data.end()) {
      if (optional) continue;
      return Status(Reason::kInvalid, text(kind, name) + " has no key \"" + key + "\"");
    }
    (*out)[std::string(item["path"].str())] = {found->second, mode_of(item["mode"], mode), std::nullopt};
  }
  return {};
}

Status add_downward(const VolumeInput& in, const json::Value& source, mode_t mode, Payload* out) {
  for (const auto& item : source["items"].items()) {
    auto value = item.has("fieldRef") ? field_value(in.pod, item["fieldRef"]["fieldPath"].str(), in.facts)
                                      : resource_value(in.pod, item["resourceFieldRef"], json::Value(), in.facts);
    if (!value.ok()) return value.status();
    (*out)[std::string(item["path"].str())] = {*value, mode_of(item["mode"], mode), std::nullopt};
  }
  return {};
}

// A token may be read by the user that the pod's containers run as, and by nobody else.
std::optional<uid_t> token_owner(const json::Value& pod) {
  std::optional<int64_t> user;
  for (const char* list : {"initContainers", "containers"}) {
    for (const auto& c : pod["spec"][list].items()) {
      const auto& own = c["securityContext"]["runAsUser"];
      const auto& uid = own.is_integer() ? own : pod["spec"]["securityContext"]["runAsUser"];
      if (!uid.is_integer() || (user && *user != uid.integer())) return std::nullopt;
      user = uid.integer();
    }
  }
  return user ? std::optional<uid_t>(static_cast<uid_t>(*user)) : std::nullopt;
}

Status add_token(const VolumeInput& in, const std::string& volume, const json::Value& source, mode_t mode,
                 Payload* out) {
  for (const auto& [key, token] : in.tokens) {
    if (key.volume != volume || key.path != source["path"].str()) continue;
    auto owner = token_owner(in.pod);
    bool shared = in.pod["spec"]["securityContext"]["fsGroup"].is_integer();
    (*out)[key.path] = {token, owner || shared ? (shared ? mode_t(0640) : mode_t(0600)) : mode, owner};
    return {};
  }
  return Status(Reason::kServiceUnavailable, "the service account token of volume \"" + volume + "\" has not come yet");
}

Status add_projected(const VolumeInput& in, const json::Value& volume, mode_t mode, Payload* out) {
  std::string name(volume["name"].str());
  for (const auto& source : volume["projected"]["sources"].items()) {
    if (auto* map = source.find("configMap")) {
      LOTSE_CHECK_OK(add_reference(in, *map, RefKind::kConfigMap, std::string((*map)["name"].str()), mode, out));
    } else if (auto* secret = source.find("secret")) {
      LOTSE_CHECK_OK(add_reference(in, *secret, RefKind::kSecret, std::string((*secret)["name"].str()), mode, out));
    } else if (auto* down = source.find("downwardAPI")) {
      LOTSE_CHECK_OK(add_downward(in, *down, mode, out));
    } else if (auto* token = source.find("serviceAccountToken")) {
      LOTSE_CHECK_OK(add_token(in, name, *token, mode, out));
    } else {
      return Status(Reason::kInvalid,
                    "volume \"" + name + "\" projects from a kind of source that this node does not have");
    }
  }
  return {};
}

}  // namespace

std::vector<TokenKey> tokens_of(const json::Value& pod) {
  std::vector<TokenKey> out;
  for (const auto& v : pod["spec"]["volumes"].items()) {
    for (const auto& source : v["projected"]["sources"].items()) {
      auto* token = source.find("serviceAccountToken");
      if (!token) continue;
      out.push_back({std::string(v["name"].str()), std::string((*token)["path"].str()),
                     std::string((*token)["audience"].str()),
                     std::max<int64_t>((*token)["expirationSeconds"].integer(3600), 600)});
    }
  }
  return out;
}

Result<Payload> plan_files(const VolumeInput& in, const json::Value& volume) {
  Payload out;
  if (auto* map = volume.find("configMap")) {
    LOTSE_CHECK_OK(add_reference(in, *map, RefKind::kConfigMap, std::string((*map)["name"].str()),
                                 mode_of((*map)["defaultMode"], 0644), &out));
  } else if (auto* secret = volume.find("secret")) {
    LOTSE_CHECK_OK(add_reference(in, *secret, RefKind::kSecret, std::string((*secret)["secretName"].str()),
                                 mode_of((*secret)["defaultMode"], 0644), &out));
  } else if (auto* down = volume.find("downwardAPI")) {
    LOTSE_CHECK_OK(add_downward(in, *down, mode_of((*down)["defaultMode"], 0644), &out));
  } else {
    LOTSE_CHECK_OK(add_projected(in, volume, mode_of(volume["projected"]["defaultMode"], 0644), &out));
  }
  return out;
}

}  // namespace lotse::agent
