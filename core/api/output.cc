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
  const json::Value value = shown(call, object)->whole();
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

// Puts pieces together in chunks, as a TLS record for each would cost more than the copy.
class Gather {
 public:
  explicit Gather(std::vector<Bytes>* out) : out_(out) {}
  void add(std::string_view text) {
    if (chunk_.size() + text.size() > kChunk) flush();
    chunk_.append(text);
  }
  void flush() {
    if (chunk_.empty()) return;
    out_->push_back(Bytes::take(std::move(chunk_)));
    chunk_ = std::string();
    chunk_.reserve(kChunk);
  }

 private:
  std::vector<Bytes>* out_;
  std::string chunk_;
};

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
  json::Value v = object->whole();
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
  if (call.form != Form::kObject && call.resource) {
    r.body.push_back(Bytes::take(object_text(call, object, true)));
    return r;
  }
  std::string scratch;
  const TextParts parts = object->parts(&scratch);
  if (object->bytes().size() < kLarge) {
    r.body.push_back(Bytes::join({parts[0], parts[1], parts[2]}));
    return r;
  }
  const auto hold = [&](std::string_view part) {
    return Bytes::adopt(part, [](void* ctx) { delete static_cast<ObjectPtr*>(ctx); }, new ObjectPtr(object));
  };
  r.body = {hold(parts[0]), Bytes(parts[1]), hold(parts[2])};
  return r;
}

Bytes event_text(const Call& call, std::string_view type, const ObjectPtr& stored, bool with_columns) {
  if (call.form != Form::kObject) return event_text(type, object_text(call, stored, with_columns));
  const ObjectPtr object = shown(call, stored);
  std::string scratch;
  const TextParts parts = object->parts(&scratch);
  return Bytes::join({"{\"type\":\"", type, "\",\"object\":", parts[0], parts[1], parts[2], "}"});
}

Bytes event_text(std::string_view type, std::string_view object) {
  return Bytes::join({"{\"type\":\"", type, "\",\"object\":", object, "}"});
}

std::string object_text(const Call& call, const ObjectPtr& stored, bool with_columns) {
  const ObjectPtr object = shown(call, stored);
  switch (call.form) {
    case Form::kObject: return object->text();
    case Form::kPartial: return json::write(partial(object->whole()));
    case Form::kTable: break;
  }
  json::Value table = table_frame(call, with_columns);
  table["metadata"].set("resourceVersion", std::to_string(object->revision()));
  table["rows"].push(table_row(call, object));
  return json::write(table);
}

struct ListBody::State {
  const Call& call;
  const bool as_stored;  // the bytes go out as they are
  Response response;
  Gather gather{&response.body};
  std::string scratch;
  bool first = true;

  explicit State(const Call& c)
      : call(c), as_stored(c.form == Form::kObject && &schema::storage(*c.resource) == c.resource) {}
  void comma() {
    if (!std::exchange(first, false)) gather.add(",");
  }
  void put(const TextParts& parts) {
    comma();
    for (const auto part : parts) gather.add(part);
  }
};

ListBody::ListBody(const Call& call) : state_(std::make_unique<State>(call)) {}
ListBody::~ListBody() = default;

void ListBody::add(std::string_view canonical, uint64_t revision) {
  if (state_->as_stored) return state_->put(with_revision(canonical, revision, &state_->scratch));
  if (auto object = Object::from_bytes(Bytes(canonical), revision); object.ok()) add(*object);
}

void ListBody::add(const ObjectPtr& stored) {
  State& s = *state_;
  if (s.call.form == Form::kObject) return s.put(shown(s.call, stored)->parts(&s.scratch));
  s.comma();
  s.gather.add(json::write(s.call.form == Form::kTable ? table_row(s.call, stored) : partial(stored->whole())));
}

Response ListBody::response(const ListHead& head) {
  State& s = *state_;
  const std::string metadata = json::write(list_metadata(head));
  std::string begin;
  if (s.call.form == Form::kTable) {
    begin = R"({"apiVersion":"meta.k8s.io/v1","kind":"Table","metadata":)" + metadata + R"(,"columnDefinitions":)" +
            json::write(columns(*s.call.resource)) + R"(,"rows":[)";
  } else if (s.call.form == Form::kPartial) {
    begin = R"({"apiVersion":"meta.k8s.io/v1","kind":"PartialObjectMetadataList","metadata":)" + metadata + R"(,"items":[)";
  } else {
    begin = "{\"apiVersion\":\"" + s.call.resource->api_version() + "\",\"kind\":\"" + list_kind(*s.call.resource) +
            "\",\"metadata\":" + metadata + ",\"items\":[";
  }
  s.gather.add("]}");
  s.gather.flush();
  s.response.body.insert(s.response.body.begin(), Bytes::take(std::move(begin)));
  return std::move(s.response);
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
