// Deletion as upstream's registry does it: preconditions, graceful deletion of pods, finalizers, propagation.
#pragma once
#include "core/api/edit.h"

namespace lotse::api {

struct DeleteOptions {
  std::optional<int64_t> grace_s;
  std::string propagation;      // "", "Orphan", "Background", "Foreground"
  std::string uid, revision;    // preconditions
};
Result<DeleteOptions> read_delete_options(const Call& call);
Result<DeleteOptions> delete_options_of(const json::Value& document);

// What deleting makes of the object now; a pure function of what is stored, the options and the time.
Result<Edit> deletion(const Call& call, const ObjectPtr& current, const DeleteOptions& options, WallTime now);
// Deletes one object with retries.
void delete_object(const CallPtr& call, const store::Key& key, const DeleteOptions& options, std::function<void(Result<Edited>)> done);

}  // namespace lotse::api
