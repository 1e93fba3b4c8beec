#include "core/plugin/instance.h"
#include "core/store/open.h"

namespace lotse::store {

Result<std::unique_ptr<Store>> Store::open(plugin::StatePlugin& backend, Clock& clock, Options options) {
  return open_on(backend.c(), clock, options);
}

}  // namespace lotse::store
