// metadata.managedFields: who has set which fields of an object. Kept by every write of a client as upstream keeps it, and what server-side
// apply decides by.
#pragma once
#include "core/api/call.h"
#include "core/schema/field_set.h"

namespace lotse::api {

// After a create, update or patch by somebody: `object` is what shall be, with the managedFields that came with it, `old` what is (null: it is
// new). Fields that were set or changed are his from now on, fields that are gone nobody's. Managed fields sent empty are not kept any more; an
// object without any is left alone.
void track_fields(Call& call, json::Value* object, const json::Value* old);

// Server-side apply of `applied`, a document of the call's kind, onto `old` (null: it is new): the object as it shall be, or the conflicts.
Result<json::Value> apply_fields(Call& call, const json::Value& applied, const json::Value* old);
// After defaults: an apply that changed nothing but times keeps the old ones.
void keep_times_of_no_change(json::Value* object, const json::Value& old);

// fieldManager, and force where it applies: kInvalid.
Status check_field_manager(const Call& call, bool is_apply);

}  // namespace lotse::api
