// The two versions of Event are one stored object under two sets of field names.
#include "core/schema/schema.h"

namespace lotse::schema {
namespace {

struct Pair {
  std::string_view core, events;
};
constexpr Pair kNames[] = {{"involvedObject", "regarding"},
                           {"message", "note"},
                           {"source", "deprecatedSource"},
                           {"firstTimestamp", "deprecatedFirstTimestamp"},
                           {"lastTimestamp", "deprecatedLastTimestamp"},
                           {"count", "deprecatedCount"},
                           {"reportingComponent", "reportingController"}};

}  // namespace

const ResourceInfo& storage(const ResourceInfo& resource) {
  if (resource.group != "events.k8s.io") return resource;
  const ResourceInfo* core = schema::find("", "v1", resource.resource);
  return core ? *core : resource;
}

void convert(const ResourceInfo& from, const ResourceInfo& to, json::Value* object) {
  if (&from == &to || from.kind != "Event" || to.kind != "Event") return;
  const bool to_core = to.group.empty();
  for (const Pair& names : kNames) {
    const std::string_view had = to_core ? names.events : names.core, wanted = to_core ? names.core : names.events;
    if (json::Value* v = object->find(had)) {
      json::Value value = std::move(*v);
      object->erase(had);
      object->set(wanted, std::move(value));
    }
  }
  object->set("apiVersion", to.api_version());
}

}  // namespace lotse::schema
