#include "plugins/proxy_nftables/clients.h"

#include <sstream>

namespace lotse::proxy_nftables {

std::string kept_clients(const std::string& listing, const char* family, const std::function<bool(const std::string&)>& keep) {
  std::istringstream words(listing);
  std::string out, word, table, set;
  while (words >> word) {
    if (word == "table") words >> word >> table;
    if (word == "set") words >> set;
    if (word != "elements") continue;
    std::string list;
    words >> word >> word;  // "= {"
    while (words >> word && word != "}") list += (list.empty() ? "" : " ") + word;
    if (table == "lotse" && set.starts_with("aff-") && keep(set) && !list.empty())
      out += std::string("add element ") + family + " lotse " + set + " { " + list + " }\n";
  }
  return out;
}

}  // namespace lotse::proxy_nftables
