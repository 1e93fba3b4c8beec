// Opens a store on the C functions of a state plugin's instance, for tests and for who has no plugin handle.
#pragma once
#include "core/store/store.h"
#include "lotse/abi/state.h"

namespace lotse::store {

// REQUIRES: *state outlives the store.
Result<std::unique_ptr<Store>> open_on(const lotse_state* state, Clock& clock, Options options);

}  // namespace lotse::store
