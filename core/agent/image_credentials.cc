#include "core/agent/image_credentials.h"

#include "core/base/ids.h"

namespace lotse::agent {
namespace {

bool lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool good_repository(std::string_view name) {
  bool separator = true;  // a component starts with a letter or digit
  for (char c : name) {
    if (lower_or_digit(c)) separator = false;
    else if (c == '/') {
      if (separator) return false;
      separator = true;
    } else if (c != '.' && c != '_' && c != '-') {
      return false;
    }
  }
  return !separator;
}

bool good_tag(std::string_view tag) {
  return !tag.empty() && tag.size() <= 128 && std::all_of(tag.begin(), tag.end(), [](char c) {
    return lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' || c == '-';
  });
}

bool is_host(std::string_view part) {
  return part == "localhost" || part.find_first_of(".:") != std::string_view::npos;
}

// One part of a host pattern: '*' stands for any run of characters within it.
bool glob(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    for (size_t i = 0; i <= text.size(); ++i) {
      if (glob(pattern.substr(1), text.substr(i))) return true;
    }
    return false;
  }
  return !text.empty() && pattern[0] == text[0] && glob(pattern.substr(1), text.substr(1));
}

bool host_fits(std::string_view pattern, std::string_view host) {
  while (true) {
    auto a = pattern.find('.'), b = host.find('.');
    if (!glob(pattern.substr(0, a), host.substr(0, b))) return false;
    if ((a == std::string_view::npos) != (b == std::string_view::npos)) return false;
    if (a == std::string_view::npos) return true;
    pattern.remove_prefix(a + 1);
    host.remove_prefix(b + 1);
  }
}

struct Server {
  std::string host, path;
};
Server split_server(std::string_view key) {
  for (std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  auto slash = key.find('/');
  Server s{std::string(key.substr(0, slash)), slash == std::string_view::npos ? "" : std::string(key.substr(slash))};
  if (s.host == "index.docker.io" || s.host == "registry-1.docker.io") s.host = "docker.io";
  if (s.path == "/v1/" || s.path == "/v2/" || s.path == "/v1" || s.path == "/v2" || s.path == "/") s.path.clear();
  return s;
}

MsgValue read_auth(const std::string& server, const json::Value& entry) {
  std::string user(entry["username"].str()), password(entry["password"].str()), plain;
  if (auto both = entry["auth"].str(); !both.empty() && unbase64(both, &plain)) {
    auto colon = plain.find(':');
    if (colon != std::string::npos) {
      user = plain.substr(0, colon);
      password = plain.substr(colon + 1);
    }
  }
  auto out = MsgValue::map({{"server", server}});
  if (!user.empty()) out.set("username", user);
  if (!password.empty()) out.set("password", password);
  if (auto t = entry["identitytoken"].str(); !t.empty()) out.set("identity_token", t);
  if (auto t = entry["registrytoken"].str(); !t.empty()) out.set("registry_token", t);
  return out;
}

}  // namespace

Result<std::string> normal_image(std::string_view name) {
  auto bad = [&] {
    return Status(Reason::kInvalid,
                  "couldn't parse image name \"" + std::string(name) + "\": invalid reference format");
  };
  std::string_view rest = name, digest, tag;
  if (auto at = rest.find('@'); at != std::string_view::npos) {
    digest = rest.substr(at);
    rest = rest.substr(0, at);
    if (digest.find(':') == std::string_view::npos) return bad();
  }
  auto slash = rest.rfind('/');
  auto colon = rest.rfind(':');
  if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    tag = rest.substr(colon + 1);
    rest = rest.substr(0, colon);
    if (!good_tag(tag)) return bad();
  }
  auto first = rest.find('/');
  std::string host = "docker.io", path(rest);
  if (first != std::string_view::npos && is_host(rest.substr(0, first))) {
    host = std::string(rest.substr(0, first));
    path = std::string(rest.substr(first + 1));
  } else if (first == std::string_view::npos) {
    path = "library/" + path;
  }
  if (!good_repository(path)) return bad();
  std::string out = host + "/" + path;
  if (!tag.empty()) out += ":" + std::string(tag);
  else if (digest.empty()) out += ":latest";
  return out + std::string(digest);
}

std::vector<MsgValue> image_credentials(std::string_view image, const std::vector<ObjectPtr>& secrets) {
  auto normal = normal_image(image);
  if (!normal.ok()) return {};
  auto slash = normal->find('/');
  auto host = normal->substr(0, slash), path = normal->substr(slash);
  std::vector<std::pair<size_t, MsgValue>> found;
  for (const auto& secret : secrets) {
    if (!secret) continue;
    const json::Value doc = secret->value();
    bool modern = doc["data"].has(".dockerconfigjson");
    std::string text;
    if (!unbase64(doc["data"][modern ? ".dockerconfigjson" : ".dockercfg"].str(), &text)) continue;
    auto parsed = json::parse(text);
    if (!parsed.ok()) continue;
    const json::Value& config = *parsed;
    const auto& auths = modern ? config["auths"] : config;
    for (const auto& [key, entry] : auths.members()) {
      auto server = split_server(key);
      if (!host_fits(server.host, host) || !path.starts_with(server.path)) continue;
      found.emplace_back(server.path.size(), read_auth(server.host, entry));
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<MsgValue> out;
  for (auto& [length, auth] : found) out.push_back(std::move(auth));
  return out;
}

}  // namespace lotse::agent
