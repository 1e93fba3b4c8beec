// From a request's body to a document that may be stored: decoding, field validation, defaults.
#pragma once
#include "core/api/call.h"

namespace lotse::api {

// JSON or YAML as Content-Type says; kUnsupportedMediaType (protobuf, CBOR) in a sentence. Duplicates are collected for field validation.
Result<json::Value> decode(const Call& call, std::vector<std::string>* duplicates);
// The body as an object of the call's kind: decoded, of the right kind and namespace, unknown fields treated as fieldValidation
// says, types checked, defaults filled in. What it says in managedFields is still there, for track_fields.
Result<json::Value> read_object(Call& call, const json::Value* old);
// The same for a document that is there already (the result of a patch).
Status take_object(Call& call, json::Value* object, const json::Value* old, std::vector<std::string> duplicates);
// A body of another kind than the resource's: Eviction, Binding, Scale, DeleteOptions, TokenRequest. Empty: null.
Result<json::Value> read_body(const Call& call, std::string_view kind);
Status invalid(const Call& call, std::string_view name, std::vector<Cause> causes);

}  // namespace lotse::api
