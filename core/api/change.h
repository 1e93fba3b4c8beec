// What all changes have in common: from a document that is as its author wants it to one that may be stored, and the commit.
#pragma once
#include "core/api/call.h"
#include "core/schema/schema.h"

namespace lotse::api {

// create: after the body was read. Names, uid, times, admission, validation. Service addresses come after it.
Status prepare_new(Call& call, json::Value* object, std::string_view name);
// Whether who may update or patch may create as well, where that makes the object.
Status may_create(const Call& call);
// A document that was read, under the name in the request. `exists` is called if somebody else was quicker.
void create_object(const CallPtr& call, json::Value object, std::function<void()> exists);
// update and patch: `object` is what shall be, `old` what is. Preconditions are checked by then.
Status prepare_change(Call& call, json::Value* object, const json::Value& old);
Status validate_object(Call& call, const json::Value& object, const json::Value* old);

// Stores (or, with dry run, pretends to).
using Stored = std::function<void(Result<store::Committed>)>;
void commit(const CallPtr& call, store::Write write, Stored done);

// What a change makes of the stored object: the new document, or why not. It is asked again, with the object as it is by then, when somebody
// else was quicker and `retry` is set.
using Change = std::function<Result<json::Value>(Call& call, const ObjectPtr& current, const json::Value& old)>;  // old: the same, whole
using Changed = std::function<void(Result<ObjectPtr>)>;
// Reads, changes, admits, validates, stores; no-ops are not stored; an object that was waiting for its last finalizer goes.
void change(const CallPtr& call, const store::Key& key, bool retry, Change how, Changed done);

// True if everything has let go of an object that is being deleted.
bool released(const json::Value& object);
std::string now_text(ServerImpl& server);

}  // namespace lotse::api
