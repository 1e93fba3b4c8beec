// What affinity remembers of clients, carried over when the whole table is written anew. Pure.
#pragma once
#include <functional>
#include <string>

namespace lotse::proxy_nftables {

// listing: what "list sets FAMILY" printed. The elements of sets that keep() names, as commands for the table `lotse`.
std::string kept_clients(const std::string& listing, const char* family, const std::function<bool(const std::string&)>& keep);

}  // namespace lotse::proxy_nftables
