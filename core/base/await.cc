#include "core/base/await.h"

#include <cstdlib>

#include "core/base/log.h"

namespace lotse {

void say_slow(const char* what) {
  log::warn("base.slow", "a thread of ours has waited for ten seconds", {{"for", what}});
}

void end_stuck(const char* what) {
  log::error("base.stuck", "what must come does not; the process ends itself", {{"for", what}});
  std::abort();
}

}  // namespace lotse
