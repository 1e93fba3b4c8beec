#include "core/api/output.h"

#include "core/api/server_impl.h"

namespace lotse::api {
namespace {

constexpr std::string_view kMetaV1 = "meta.k8s.io/v1";
constexpr size_t kChunk = 64 * 1024;
constexpr size_t kLarge = 8 * 1024;

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

// Calls fn for the parts of text between separators.
template <class Fn>
void split(std::string_view text, char separator, Fn fn) {
  while (true) {
    const size_t at = text.find(separator);
    fn(trim(text.substr(0, at)));
    if (at == std::string_view::npos) return;
    text.remove_prefix(at + 1);
  }
}

json::Value partial(const json::Value& object) {
  return json::Value::object({{"apiVersion", kMetaV1}, {"kind", "PartialObjectMetadata"}, {"metadata", object["metadata"]}});
}

json::Value columns(const schema::ResourceInfo& resource) {
  json::Value all = json::Value::array();
  for (const auto& c : resource.columns) {
    all.push(json::Value::object({{"name", c.name}, {"type", c.type}, {"format", c.format}, {"description", c.description}, {"priority", c.priority}}));
  }
  return all;
}

json::Value table_row(const Call& call, const ObjectPtr& object) {
  const json::Value value = shown(call, object)->value();
  json::Value row = json::Value::object({{"cells", json::Value::array(schema::row(*call.resource, value, call.server.clock().now()))}});
  const std::string_view include = call.request.option("includeObject");
  if (include == "Object") {
    row.set("object", value);
  } else if (include != "None") {
    row.set("object", partial(value));
  }
  return row;
}

json::Value table_frame(const Call& call, bool with_columns) {
  json::Value table = json::Value::object({{"apiVersion", kMetaV1}, {"kind", "Table"}, {"metadata", json::Value::object()}});
  table.set("columnDefinitions", with_columns ? columns(*call.resource) : json::Value());
  return table;
}

json::Value list_metadata(const ListHead& head) {
  json::Value m = json::Value::object({{"resourceVersion", head.resource_version}});
  if (!head.continue_token.empty()) m.set("continue", head.continue_token);
  if (head.remaining >= 0) m.set("remainingItemCount", head.remaining);
  return m;
}

// Gathers small pieces in chunks, as a TLS record for each would cost more than the copy; large texts are handed on as they lie.
class Gather {
 public:
  explicit Gather(std::vector<Bytes>* out) : out_(out) {}
  ~Gather() { flush(); }
  void add(std::string_view text) {
    if (chunk_.size() + text.size() > kChunk) flush();
    chunk_.append(text);
  }
  void add(const ObjectPtr& object) {
    std::string scratch;
    for (const auto part : object->parts(&scratch)) {
      if (part.size() < kLarge) {
        add(part);
      } else {
        flush();
        out_->push_back(Bytes::adopt(part, [](void* ctx) { delete static_cast<ObjectPtr*>(ctx); }, new ObjectPtr(object)));
      }
    }
  }
  void flush() {
    if (!chunk_.empty()) out_->emplace_back(std::string_view(chunk_));
    chunk_.clear();
  }

 private:
  std::vector<Bytes>* out_;
  std::string chunk_;
};

void add_items(Gather& gather, const std::vector<ObjectPtr>& items, const std::function<void(const ObjectPtr&)>& one) {
  bool first = true;
  for (const auto& item : items) {
    if (!std::exchange(first, false)) gather.add(",");
    one(item);
  }
}

std::string list_kind(const schema::ResourceInfo& resource) { return std::string(resource.kind) + "List"; }

}  // namespace

Result<Form> negotiate(std::string_view accept) {
  if (trim(accept).empty()) return Form::kObject;
  std::optional<Form> chosen;
  split(accept, ',', [&](std::string_view entry) {
    if (chosen) return;
    std::string_view type, as;
    split(entry, ';', [&](std::string_view part) {
      if (type.empty()) {
        type = part;
      } else if (part.starts_with("as=")) {
        as = part.substr(3);
      }
    });
    if (type != "application/json" && type != "*/*" && type != "application/*") return;
    if (as.empty()) chosen = Form::kObject;
    if (as == "Table") chosen = Form::kTable;
    if (as == "PartialObjectMetadata" || as == "PartialObjectMetadataList") chosen = Form::kPartial;
  });
  if (chosen) return *chosen;
  return Status(Reason::kNotAcceptable, "only the following media types are accepted: application/json");
}

ObjectPtr shown(const Call& call, const ObjectPtr& object) {
  if (!call.resource || !object) return object;
  const schema::ResourceInfo& storage = schema::storage(*call.resource);
  if (&storage == call.resource) return object;
  json::Value v = object->value();
  schema::convert(storage, *call.resource, &v);
  return Object::from_value(std::move(v), object->revision());
}

json::Value as_stored(const Call& call, json::Value document) {
  const schema::ResourceInfo& storage = schema::storage(*call.resource);
  if (&storage != call.resource) schema::convert(*call.resource, storage, &document);
  return document;
}

Response object_response(const Call& call, int code, const ObjectPtr& stored) {
  const ObjectPtr object = shown(call, stored);
  Response r;
  r.status = code;
  if (call.form == Form::kObject || !call.resource) {
    Gather gather(&r.body);
    gather.add(object);
  } else {
    r.body.emplace_back(std::string_view(object_text(call, object, true)));
  }
  return r;
}

std::string object_text(const Call& call, const ObjectPtr& stored, bool with_columns) {
  const ObjectPtr object = shown(call, stored);
  switch (call.form) {
    case Form::kObject: return object->text();
    case Form::kPartial: return json::write(partial(object->value()));
    case Form::kTable: break;
  }
  json::Value table = table_frame(call, with_columns);
  table["metadata"].set("resourceVersion", std::to_string(object->revision()));
  table["rows"].push(table_row(call, object));
  return json::write(table);
}

Response list_response(const Call& call, const std::vector<ObjectPtr>& items, const ListHead& head) {
  Response r;
  Gather gather(&r.body);
  const std::string metadata = json::write(list_metadata(head));
  if (call.form == Form::kTable) {
    gather.add(R"({"apiVersion":"meta.k8s.io/v1","kind":"Table","metadata":)" + metadata + R"(,"columnDefinitions":)");
    gather.add(json::write(columns(*call.resource)) + R"(,"rows":[)");
    add_items(gather, items, [&](const ObjectPtr& o) { gather.add(json::write(table_row(call, o))); });
  } else if (call.form == Form::kPartial) {
    gather.add(R"({"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadataList","metadata":)" + metadata + R"(,"items":[)");
    add_items(gather, items, [&](const ObjectPtr& o) { gather.add(json::write(partial(o->value()))); });
  } else {
    gather.add("{\"apiVersion\":\"" + call.resource->api_version() + "\",\"kind\":\"" + list_kind(*call.resource) +
               "\",\"metadata\":" + metadata + ",\"items\":[");
    add_items(gather, items, [&](const ObjectPtr& o) { gather.add(shown(call, o)); });
  }
  gather.add("]}");
  gather.flush();
  return r;
}

std::string bookmark_text(const Call& call, uint64_t revision, bool initial_events_end) {
  json::Value metadata = json::Value::object({{"creationTimestamp", nullptr}, {"resourceVersion", std::to_string(revision)}});
  if (initial_events_end) metadata["annotations"].set("k8s.io/initial-events-end", "true");
  json::Value v;
  if (call.form == Form::kTable) {
    v = table_frame(call, false);
    v["metadata"] = json::Value::object({{"resourceVersion", std::to_string(revision)}});
    v["rows"] = json::Value::array();
    if (initial_events_end) {
      json::Value object = json::Value::object({{"apiVersion", kMetaV1}, {"kind", "PartialObjectMetadata"}, {"metadata", metadata}});
      v["rows"].push(json::Value::object({{"cells", json::Value::array()}, {"object", std::move(object)}}));
    }
  } else if (call.form == Form::kPartial) {
    v = json::Value::object({{"apiVersion", kMetaV1}, {"kind", "PartialObjectMetadata"}, {"metadata", metadata}});
  } else {
    v = json::Value::object({{"apiVersion", call.resource->api_version()}, {"kind", call.resource->kind}, {"metadata", metadata}});
  }
  return json::write(v);
}

}  // namespace lotse::api
