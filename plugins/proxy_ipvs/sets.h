// The kernel's sets that the fixed rules look into, brought there by `ipset restore`. The texts are pure.
#pragma once
#include "plugins/proxy_ipvs/virtual_service.h"

namespace lotse::proxy_ipvs {

// All sets of the family with exactly these members; each is made beside the old one and takes its place in one step.
std::string whole_sets_text(Family family, const std::set<Member>& members);
std::string set_changes_text(const std::set<Member>& removed, const std::set<Member>& added);
std::string set_removal_text(const std::string& names);  // of `ipset list -n`

// [worker] They throw sdk::Failure in ipset's words.
void require_ipset();
void restore_sets(const std::string& text);
std::string list_sets();

}  // namespace lotse::proxy_ipvs
