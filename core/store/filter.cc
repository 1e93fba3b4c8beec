#include "core/store/ring.h"

namespace lotse::store {

Filter::Filter(WatchQuery query) : query_(std::move(query)) {
  selects_ = !query_.labels.empty() || !query_.fields.empty();
  if (query_.resource != "pods") return;
  for (const auto& r : query_.fields.requirements()) {
    if (r.path == "spec.nodeName" && r.equal && !r.value.empty()) node_ = r.value;
  }
}

bool Filter::matches(const ObjectPtr& object) const {
  if (!object) return false;
  if (!node_.empty() && object->header().node_name != node_) return false;  // spares reading the document
  return query_.labels.matches(object->header().labels) && (query_.fields.empty() || query_.fields.matches(*object));
}

EventPtr Filter::see(const EventPtr& event) const {
  if (!query_.resource.empty() && event->key.resource != query_.resource) return nullptr;
  if (!query_.ns.empty() && event->key.ns != query_.ns) return nullptr;
  if (!query_.name.empty() && event->key.name != query_.name) return nullptr;
  if (!selects_) return event;
  const bool before = matches(event->previous);
  if (event->type == Event::Type::kDeleted) return matches(event->object) ? event : nullptr;
  const bool now = matches(event->object);
  if (!now && !before) return nullptr;
  const auto type = !before ? Event::Type::kAdded : now ? Event::Type::kModified : Event::Type::kDeleted;
  if (type == event->type) return event;
  auto seen = std::make_shared<Event>(*event);
  seen->type = type;
  if (type == Event::Type::kDeleted) {
    // What ceased to match is shown as it last matched, with the revision of the change.
    auto last = Object::from_bytes(event->previous->bytes(), event->revision);
    if (last.ok()) seen->object = *last;
  }
  return seen;
}

}  // namespace lotse::store
