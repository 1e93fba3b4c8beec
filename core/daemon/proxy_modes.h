// ProxyModes: which proxy modes may have rules in the kernel. Their names are kept in the data directory, so that after a switch of modes what the
// former one left is taken out by its own plugin, once the new one has put its rules in. Connections go on meanwhile: conntrack knows them.
//
// Threads: begin() on any, before the proxy is told anything; remove_former() [worker].
#pragma once
#include <string>
#include <vector>

#include "core/daemon/base.h"

namespace lotse::daemon {

class ProxyModes {
 public:
  ProxyModes(Base& base, std::string now);
  Status begin();          // writes down that the present mode is about to put rules in, beside those that may still have some
  Status remove_former();  // what could not be removed stays written down, for the next start

 private:
  Status write(const std::vector<std::string>& names) const;
  Base& base_;
  const std::string now_, file_;
  std::vector<std::string> former_;
};

}  // namespace lotse::daemon
