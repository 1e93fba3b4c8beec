// The three kinds of patches, for objects and for Scale.
#pragma once
#include "core/api/call.h"

namespace lotse::api {

struct Patch {
  enum class Kind : uint8_t { kJson, kMerge, kStrategic } kind = Kind::kMerge;
  json::Value document;
};
Result<Patch> read_patch(const Call& call);  // by Content-Type: kUnsupportedMediaType in a sentence
Result<json::Value> apply(const Patch& patch, const schema::TypeInfo& type, json::Value document);

}  // namespace lotse::api
