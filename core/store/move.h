// A cluster moves from one state backend to another. Every object is the same byte for byte in the new store; revisions there
// are above all that were ever given out, so that every client lists again.
#pragma once
#include "core/store/store.h"
#include "lotse/abi/state.h"

namespace lotse::store {

// Opens the store that is moved to; unlike Store::open also one whose cluster has moved away. REQUIRES: *state outlives the store.
Result<std::unique_ptr<Store>> open_destination(const lotse_state* state, Clock& clock);

// [worker] Both as this room made them. `file` is an empty file to put a backup into, `name` is how the new backend is called.
// Refused if the destination holds another cluster. From then on `from` takes no change, is marked as moved, and is not opened
// again; after a failure it goes on as before.
Status move(Store& from, Store& to, int file, const std::string& name);

}  // namespace lotse::store
