#include "plugins/state_etcd/settings.h"

#include <netdb.h>

#include <fstream>

namespace lotse::state_etcd {
namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw sdk::Failure(LOTSE_INVALID, why);
}

// "https://host:port", "http://[::1]:2379"; the port may be missing.
Endpoint parse(const std::string& url, bool& secure) {
  Endpoint e;
  std::string rest;
  if (url.starts_with("https://")) {
    secure = true, rest = url.substr(8);
  } else if (url.starts_with("http://")) {
    secure = false, rest = url.substr(7);
  } else {
    refuse("endpoints: '" + url + "' does not begin with http:// or https://");
  }
  if (rest.ends_with("/")) rest.pop_back();
  size_t host_end = rest.starts_with("[") ? rest.find(']') : rest.find(':');
  if (rest.starts_with("[") && host_end == std::string::npos) refuse("endpoints: '" + url + "' has no ]");
  e.host = rest.starts_with("[") ? rest.substr(1, host_end - 1) : rest.substr(0, host_end);
  size_t colon = rest.find(':', host_end == std::string::npos ? rest.size() : host_end);
  e.port = colon == std::string::npos ? "2379" : rest.substr(colon + 1);
  if (e.host.empty() || e.port.empty() || e.port.find_first_not_of("0123456789") != std::string::npos) {
    refuse("endpoints: '" + url + "' is not scheme://host:port");
  }
  e.target.name = "etcd at " + rest;
  e.target.authority = rest;
  return e;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line)) refuse("password_file: " + path + " cannot be read");
  return line;
}

}  // namespace

std::vector<lotse_key> Settings::keys() {
  return {
      sdk::Key::strings("endpoints", "the members of the etcd cluster, as http(s)://host:port; one is used at a time")
          .fallback("[\"http://127.0.0.1:2379\"]"),
      sdk::Key::text("prefix", "what all keys in etcd begin with; two clusters may share an etcd under two prefixes")
          .fallback("/lotse/"),
      sdk::Key::text("ca", "file with the certificates that the members' are signed with (https); empty: the system's")
          .fallback(""),
      sdk::Key::text("cert", "file with our certificate, where the members ask for one").fallback(""),
      sdk::Key::text("key", "file with the key of that certificate").fallback(""),
      sdk::Key::text("user", "etcd user, where etcd's authentication is on").fallback(""),
      sdk::Key::text("password_file", "file whose first line is the user's password").fallback(""),
      sdk::Key::duration("timeout", "how long etcd may take to answer a change before its outcome counts as unknown")
          .fallback("5s")
          .range(500'000'000, 60'000'000'000),
  };
}

Settings Settings::read(const sdk::Config& config) {
  Settings s;
  bool any_secure = false;
  for (const std::string& url : config.strings("endpoints")) {
    bool secure = false;
    s.endpoints.push_back(parse(url, secure));
    if (secure) s.endpoints.back().target.tls_name = s.endpoints.back().host;
    any_secure = any_secure || secure;
  }
  if (s.endpoints.empty()) refuse("endpoints is empty");
  s.prefix = config.text("prefix");
  if (s.prefix.empty() || s.prefix.size() > 256) refuse("prefix must have 1 to 256 bytes");
  if (!s.prefix.ends_with("/")) s.prefix += "/";
  grpc_client::TlsFiles files{config.text("ca"), config.text("cert"), config.text("key")};
  if (files.cert.empty() != files.key.empty()) refuse("cert and key belong together");
  if (!any_secure && !(files.ca.empty() && files.cert.empty())) refuse("ca, cert and key need https:// endpoints");
  if (any_secure) {
    std::string why;
    auto context = grpc_client::tls_client_context(files, &why);
    if (!context) refuse(why);
    for (Endpoint& e : s.endpoints) {
      if (!e.target.tls_name.empty()) e.target.tls = context;
    }
  }
  s.user = config.text("user");
  if (!s.user.empty()) s.password = first_line(config.text("password_file"));
  s.timeout_ns = config.duration("timeout").count();
  return s;
}

bool resolve(Endpoint& e, std::string* why) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  int error = getaddrinfo(e.host.c_str(), e.port.c_str(), &hints, &found);
  if (error != 0) {
    *why = e.host + ": " + gai_strerror(error);
    return false;
  }
  memcpy(&e.target.address, found->ai_addr, found->ai_addrlen);
  e.target.address_size = found->ai_addrlen;
  freeaddrinfo(found);
  return true;
}

}  // namespace lotse::state_etcd
