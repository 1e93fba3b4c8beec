#include "core/store/store_impl.h"

namespace lotse::store {

Result<ObjectPtr> StoreImpl::get(const Key& key) {
  if (const EventPtr last = ring_.latest(key)) {
    if (last->type != Event::Type::kDeleted) return last->object;
    return Status::not_found("", key.resource, key.name);
  }
  const uint16_t number = resources_.number(key.resource);
  if (number == 0) return Status::not_found("", key.resource, key.name);
  const std::string encoded = encode_key(number, key.ns, key.name);
  Result<ObjectPtr> found = Status::not_found("", key.resource, key.name);
  const std::string end = key_after(encoded);
  LOTSE_TRY([[maybe_unused]] const auto result, backend_.range({encoded, end, 0, 1, false}, [&](const BackendEntry& e) {
              found = load_object(e.value, e.revision);
              return false;
            }));
  return found;
}

bool StoreImpl::exists(const Key& key) {
  if (const EventPtr last = ring_.latest(key)) return last->type != Event::Type::kDeleted;
  const uint16_t number = resources_.number(key.resource);
  if (number == 0) return false;
  const std::string encoded = encode_key(number, key.ns, key.name);
  const std::string end = key_after(encoded);
  bool found = false;
  const auto result = backend_.range({encoded, end, 0, 1, true}, [&](const BackendEntry&) {
    found = true;
    return false;
  });
  return result.ok() && found;
}

// What is there at one revision, a chunk at a time. give(bytes, revision) says whether it took the object, or why it could not.
template <class Give>
Result<ListEnd> StoreImpl::walk(const ListQuery& query, Give give) {
  ListEnd end;
  if (replacing_) return Status(Reason::kServiceUnavailable, "the store is being restored");
  if (query.revision != 0 && query.revision < compacted_.load()) {
    return Status(Reason::kExpired, "the resourceVersion " + std::to_string(query.revision) + " is too old");
  }
  const uint16_t number = resources_.number(query.resource);
  if (number == 0 || query.labels.matches_nothing()) {
    end.revision = query.revision != 0 ? query.revision : revision();
    return end;
  }
  KeyRange range = object_range(number, query.ns);
  if (!query.after_name.empty()) range.start = key_after(encode_key(number, query.after_ns, query.after_name));
  const bool all = query.labels.empty() && query.fields.empty();
  // Now is what the ring has seen: all that was ever answered, and no more than a watch can begin from.
  uint64_t at = to_backend(query.revision == 0 ? revision() : query.revision);
  Status broken;
  std::string last, last_given;
  for (bool more = true; more && !end.more;) {
    last.clear();
    const uint64_t limit = query.limit != 0 && all ? query.limit + 1 - end.count : 0;
    LOTSE_TRY(const auto result, backend_.range({range.start, range.end, at, limit, false}, [&](const BackendEntry& e) {
                last = e.key;
                const bool full = query.limit != 0 && end.count == query.limit;
                const Result<bool> taken = give(e.value, e.revision, full);
                if (!taken.ok()) broken = taken.status();
                if (!taken.ok() || !*taken) return taken.ok();
                if (full) {
                  end.more = true;
                  return false;
                }
                ++end.count;
                last_given = e.key;
                return true;
              }));
    LOTSE_CHECK_OK(broken);
    at = result.revision;  // the rest is read as of the same moment
    more = result.more && !last.empty();
    if (more) range.start = key_after(last);
  }
  end.revision = query.revision != 0 ? query.revision : outward(at);
  if (DecodedKey key; decode_key(last_given, &key)) end.last_ns = key.ns, end.last_name = key.name;
  if (end.more && all) {
    const size_t total = count(query.resource, query.ns);
    if (query.after_name.empty() && total > end.count) end.remaining = static_cast<int64_t>(total - end.count);
  }
  return end;
}

Result<ListEnd> StoreImpl::visit(const ListQuery& query, const Visit& visit) {
  const bool all = query.labels.empty() && query.fields.empty();
  return walk(query, [&](std::string_view value, uint64_t revision, bool full) -> Result<bool> {
    if (!all) {
      LOTSE_TRY(const auto object, load_object(value, revision));
      if (!query.labels.matches(object->header().labels) || (!query.fields.empty() && !query.fields.matches(*object))) return false;
    }
    if (!full) visit(value, outward(revision));
    return true;
  });
}

Result<ListPage> StoreImpl::list(const ListQuery& query) {
  ListPage page;
  LOTSE_TRY(const auto end, walk(query, [&](std::string_view value, uint64_t revision, bool full) -> Result<bool> {
              LOTSE_TRY(auto object, load_object(value, revision));
              if (!query.labels.matches(object->header().labels) || (!query.fields.empty() && !query.fields.matches(*object))) return false;
              if (!full) page.items.push_back(std::move(object));
              return true;
            }));
  page.revision = end.revision;
  page.more = end.more;
  page.remaining = end.remaining;
  return page;
}

std::vector<ObjectPtr> StoreImpl::read_all(const std::vector<std::string>& keys, const ResourceName& resource) {
  std::vector<ObjectPtr> objects;
  const uint16_t wanted = resource.empty() ? 0 : resources_.number(resource);
  for (const auto& encoded : keys) {
    DecodedKey key;
    if (!decode_key(encoded, &key) || (!resource.empty() && key.number != wanted)) continue;
    auto object = get({resources_.resource(key.number), std::string(key.ns), std::string(key.name)});
    if (object.ok()) objects.push_back(*std::move(object));
  }
  return objects;
}

std::vector<ObjectPtr> StoreImpl::owned_by(const std::string& owner_uid, const ResourceName& resource) {
  return read_all(index_.owned_by(owner_uid), resource);
}

std::vector<ObjectPtr> StoreImpl::on_node(const std::string& node) { return read_all(index_.on_node(node), "pods"); }

size_t StoreImpl::count(const ResourceName& resource, const std::string& ns) { return index_.count(resource, ns); }

Result<std::unique_ptr<Cursor>> StoreImpl::watch(const WatchQuery& query, std::function<void()> wake) {
  if (replacing_) return Status(Reason::kServiceUnavailable, "the store is being restored");
  WatchQuery from_there = query;
  if (query.from == 0) from_there.from = ring_.revision();
  if (from_there.from + 1 < compacted_.load()) {
    return Status(Reason::kExpired, "the resourceVersion " + std::to_string(query.from) + " is too old");
  }
  auto state = std::make_shared<CursorState>(*this, std::move(from_there), std::move(wake));
  LOTSE_CHECK_OK(state->start());
  return std::unique_ptr<Cursor>(new RingCursor(std::move(state)));
}

Result<std::shared_ptr<BackendWatch>> StoreImpl::follow(const WatchQuery& query, uint64_t from, OnChanges on_changes,
                                                        BackendWatch::OnEnd on_end) {
  if (from + 1 < compacted_.load()) {
    return Status(Reason::kExpired, "the resourceVersion " + std::to_string(from) + " is too old");
  }
  KeyRange range = every_object();
  if (!query.resource.empty()) {
    const uint16_t number = resources_.number(query.resource);
    if (number != 0) range = object_range(number, query.ns);  // else its first object is yet to come
  }
  const auto items = [this, gate = gate_, on_changes = std::move(on_changes)](const lotse_state_events& events, size_t size) {
    const auto inside = gate->enter();
    if (!inside) return;
    std::vector<EventPtr> batch;
    const auto* at = reinterpret_cast<const char*>(events.events);
    for (size_t i = 0; i < events.count; ++i, at += events.events[0].size) {
      if (EventPtr event = event_of(*reinterpret_cast<const lotse_state_event*>(at), false)) batch.push_back(std::move(event));
    }
    on_changes(std::move(batch), outward(events.progress), size);
  };
  return backend_.watch(range.start, range.end, to_backend(from) + 1, items, std::move(on_end));
}

}  // namespace lotse::store
