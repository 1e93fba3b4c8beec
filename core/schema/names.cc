#include "core/schema/names.h"

#include <arpa/inet.h>

#include <charconv>

namespace lotse::schema {
namespace {

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z');
}
bool is_alphanumeric(char c) {
  return is_letter(c) || is_digit(c);
}

std::string too_long(size_t max) {
  return "must be no more than " + std::to_string(max) + " bytes";
}

bool is_label(std::string_view t) {
  if (t.empty() || t.front() == '-' || t.back() == '-') return false;
  return std::all_of(t.begin(), t.end(), [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

// Letters, digits, and within also - _ .
bool is_name(std::string_view t) {
  if (t.empty() || !is_alphanumeric(t.front()) || !is_alphanumeric(t.back())) return false;
  return std::all_of(t.begin(), t.end(), [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

}  // namespace

std::string dns_label(std::string_view t) {
  if (t.size() > 63) return too_long(63);
  if (is_label(t)) return {};
  return "a lowercase RFC 1123 label has lowercase letters, digits and '-', and starts and ends with a letter or digit";
}

std::string dns_1035_label(std::string_view t) {
  if (t.size() > 63) return too_long(63);
  if (is_label(t) && is_lower(t.front())) return {};
  return "a DNS-1035 label has lowercase letters, digits and '-', starts with a letter and ends with a letter or digit";
}

std::string dns_subdomain(std::string_view t) {
  if (t.size() > 253) return too_long(253);
  for (size_t i = 0;;) {
    const size_t dot = std::min(t.find('.', i), t.size());
    if (!is_label(t.substr(i, dot - i))) break;
    if (dot == t.size()) return {};
    i = dot + 1;
  }
  return "a lowercase RFC 1123 subdomain has lowercase letters, digits, '-' and '.', and each of its parts starts and "
         "ends with a "
         "letter or digit";
}

std::string path_segment(std::string_view t) {
  if (t == "." || t == "..") return "may not be '" + std::string(t) + "'";
  if (t.find('/') != t.npos) return "may not contain '/'";
  if (t.find('%') != t.npos) return "may not contain '%'";
  return {};
}

std::string qualified_name(std::string_view t) {
  const size_t slash = t.find('/');
  if (slash != t.npos) {
    if (slash == 0) return "prefix part must be non-empty";
    if (auto why = dns_subdomain(t.substr(0, slash)); !why.empty()) return "prefix part: " + why;
    t = t.substr(slash + 1);
  }
  if (t.empty()) return "name part must be non-empty";
  if (t.size() > 63) return "name part " + too_long(63);
  if (is_name(t)) return {};
  return "name part has letters, digits, '-', '_' and '.', and starts and ends with a letter or digit";
}

std::string label_value(std::string_view t) {
  if (t.size() > 63) return too_long(63);
  if (t.empty() || is_name(t)) return {};
  return "a valid label is empty or has letters, digits, '-', '_' and '.', and starts and ends with a letter or digit";
}

std::string env_name(std::string_view t) {
  const bool printable = std::all_of(t.begin(), t.end(), [](char c) { return c >= ' ' && c <= '~' && c != '='; });
  if (!t.empty() && printable) return {};
  return "a valid environment variable name has printable ASCII characters other than '='";
}

std::string config_key(std::string_view t) {
  if (t.size() > 253) return too_long(253);
  if (t == "." || t == ".." || t.starts_with("..")) return "may not be '.' or start with '..'";
  const bool fits =
      std::all_of(t.begin(), t.end(), [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
  if (!t.empty() && fits) return {};
  return "a valid config key has letters, digits, '-', '_' and '.'";
}

std::string port_name(std::string_view t) {
  if (t.size() > 15) return too_long(15);
  const bool fits = std::all_of(t.begin(), t.end(), [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
  if (!fits || t.empty()) return "must contain only lowercase letters, digits and '-'";
  if (std::none_of(t.begin(), t.end(), is_lower)) return "must contain at least one letter";
  if (t.find("--") != t.npos) return "must not contain consecutive hyphens";
  if (t.front() == '-' || t.back() == '-') return "must not begin or end with a hyphen";
  return {};
}

std::string ip_address(std::string_view t) {
  unsigned char buffer[16];
  const std::string text(t);
  if (inet_pton(AF_INET, text.c_str(), buffer) == 1 || inet_pton(AF_INET6, text.c_str(), buffer) == 1) return {};
  return "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
}

bool is_ipv6(std::string_view address) {
  return address.find(':') != address.npos;
}

std::string ip_prefix(std::string_view t) {
  const size_t slash = t.find('/');
  if (slash != t.npos && ip_address(t.substr(0, slash)).empty()) {
    int bits = -1;
    const std::string_view n = t.substr(slash + 1);
    auto [end, error] = std::from_chars(n.data(), n.data() + n.size(), bits);
    const int max = is_ipv6(t.substr(0, slash)) ? 128 : 32;
    if (error == std::errc() && end == n.data() + n.size() && bits >= 0 && bits <= max) return {};
  }
  return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
}

std::string percentage(std::string_view t) {
  if (t.size() > 1 && t.back() == '%' && std::all_of(t.begin(), t.end() - 1, is_digit)) return {};
  return "a valid percent string must be a numeric string followed by an ending '%'";
}

std::string relative_path(std::string_view t) {
  if (t.starts_with('/')) return "must be a relative path";
  for (size_t i = 0; i <= t.size();) {
    const size_t slash = std::min(t.find('/', i), t.size());
    if (t.substr(i, slash - i) == "..") return "must not contain '..'";
    i = slash + 1;
  }
  return {};
}

std::string port_number(int64_t port) {
  return port >= 1 && port <= 65535 ? std::string() : "must be between 1 and 65535, inclusive";
}

}  // namespace lotse::schema
