// The forms of names and values (Kubernetes' "Object Names and IDs", RFC 1123, RFC 1035). Each gives a sentence of
// what is wrong, empty if the text has the form.
#pragma once
#include <string>
#include <string_view>

namespace lotse::schema {

std::string dns_label(std::string_view text);       // RFC 1123 label
std::string dns_1035_label(std::string_view text);  // the same, starting with a letter
std::string dns_subdomain(std::string_view text);
std::string path_segment(std::string_view text);    // RBAC's names
std::string qualified_name(std::string_view text);  // [subdomain/]name
std::string label_value(std::string_view text);
std::string env_name(std::string_view text);    // any printable ASCII but "="
std::string config_key(std::string_view text);  // keys of ConfigMap and Secret
std::string port_name(std::string_view text);   // IANA service name
std::string ip_address(std::string_view text);  // canonical forms and others that inet_pton takes
std::string ip_prefix(std::string_view text);   // 10.0.0.0/8
bool is_ipv6(std::string_view address);
std::string percentage(std::string_view text);     // "25%"
std::string relative_path(std::string_view text);  // no leading /, no ..
std::string port_number(int64_t port);             // 1 to 65535

}  // namespace lotse::schema
