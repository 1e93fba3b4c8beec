// The kernel's switches that every proxy mode needs.
#pragma once
#include <string>

namespace lotse::service_table {

bool write_sysctl(const std::string& path, const std::string& value);  // path: below /proc/sys
// Forwarding of the families, and NAT for what bridges carry: pods of one node talk over a bridge, and without it their traffic to a
// Service's address would come back past NAT.
void let_forward(bool ipv6);

}  // namespace lotse::service_table
