// A change that the server itself makes to a stored object (marking it as being deleted, binding a pod): no admission and no validation, as
// nobody's document comes in. Tried again when somebody else was quicker.
#pragma once
#include "core/api/call.h"

namespace lotse::api {

struct Edit {
  enum class What : uint8_t { kNothing, kPut, kRemove } what = What::kNothing;
  json::Value document;  // kPut
};
struct Edited {
  Edit::What what = Edit::What::kNothing;
  ObjectPtr object;      // as it is now; kRemove: as it was last
};
using MakeEdit = std::function<Result<Edit>(const ObjectPtr& current)>;
void edit(const CallPtr& call, const store::Key& key, MakeEdit how, std::function<void(Result<Edited>)> done);

}  // namespace lotse::api
