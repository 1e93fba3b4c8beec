#include "core/object/object.h"

#include "core/object/cursor.h"

namespace lotse {
namespace {

constexpr std::string_view kVersionKey = "resourceVersion";

std::vector<std::string> read_strings(Cursor* at) {
  std::vector<std::string> out;
  if (at->peek() != '[') return at->skip(), out;
  at->enter_array();
  while (at->next_item()) out.push_back(at->string());
  return out;
}

Labels read_labels(Cursor* at) {
  Labels out;
  if (at->peek() != '{') return at->skip(), out;
  at->enter_object();
  for (std::string_view key; at->next_member(&key);) {
    std::string name = key.find('\\') == key.npos ? std::string(key) : unescape('"' + std::string(key) + '"');
    out.emplace_back(std::move(name), at->peek() == '"' ? at->string() : (at->skip(), std::string()));
  }
  return out;
}

OwnerRef read_owner(Cursor* at) {
  OwnerRef owner;
  at->enter_object();
  for (std::string_view key; at->next_member(&key);) {
    if (key == "apiVersion")
      owner.api_version = at->string();
    else if (key == "kind")
      owner.kind = at->string();
    else if (key == "name")
      owner.name = at->string();
    else if (key == "uid")
      owner.uid = at->string();
    else if (key == "controller")
      owner.controller = at->boolean();
    else if (key == "blockOwnerDeletion")
      owner.block_owner_deletion = at->boolean();
    else
      at->skip();
  }
  return owner;
}

std::vector<OwnerRef> read_owners(Cursor* at) {
  std::vector<OwnerRef> out;
  if (at->peek() != '[') return at->skip(), out;
  at->enter_array();
  while (at->next_item()) out.push_back(read_owner(at));
  return out;
}

std::string read_text(Cursor* at) {
  return at->peek() == '"' ? at->string() : (at->skip(), std::string());
}

WallTime read_time(Cursor* at) {
  auto time = parse_time(read_text(at));
  return time.ok() ? *time : WallTime{};
}

// Leaves in *splice the place where the resourceVersion belongs in the order of keys; *has_version if one stands there.
void read_metadata(Cursor* at, ObjectHeader* h, uint32_t* splice, bool* has_version) {
  *splice = 0;
  if (!at->enter_object()) return;
  for (std::string_view key; at->next_member(&key);) {
    // The value follows "key": at once, so the key's quotation mark stands three characters further back than its size.
    if (*splice == 0 && key >= kVersionKey) *splice = static_cast<uint32_t>(at->offset() - key.size() - 3);
    if (key == "name")
      h->name = read_text(at);
    else if (key == "namespace")
      h->ns = read_text(at);
    else if (key == "uid")
      h->uid = read_text(at);
    else if (key == "labels")
      h->labels = read_labels(at);
    else if (key == "ownerReferences")
      h->owners = read_owners(at);
    else if (key == "finalizers")
      h->finalizers = read_strings(at);
    else if (key == "creationTimestamp")
      h->created = read_time(at);
    else if (key == "deletionTimestamp")
      h->deletion = read_time(at);
    else
      *has_version |= key == kVersionKey, at->skip();
  }
  if (*splice == 0) *splice = static_cast<uint32_t>(at->offset() - 1);  // at the closing brace
}

void read_spec(Cursor* at, ObjectHeader* h) {
  if (at->peek() != '{') return at->skip();
  at->enter_object();
  for (std::string_view key; at->next_member(&key);) {
    if (key == "nodeName")
      h->node_name = read_text(at);
    else
      at->skip();
  }
}

Status read_header(std::string_view text, ObjectHeader* h, uint32_t* splice) {
  Cursor at(text);
  bool has_metadata = false, has_version = false;
  at.enter_object();
  for (std::string_view key; at.next_member(&key);) {
    if (key == "apiVersion")
      h->api_version = at.string();
    else if (key == "kind")
      h->kind = at.string();
    else if (key == "metadata")
      has_metadata = true, read_metadata(&at, h, splice, &has_version);
    else if (key == "spec" && h->kind == "Pod")
      read_spec(&at, h);
    else
      at.skip();
  }
  if (at.failed() || !at.at_end()) return Status(Reason::kInternalError, "an object's bytes are not canonical JSON");
  if (!has_metadata) return Status(Reason::kInternalError, "an object's bytes have no metadata");
  if (has_version) return Status(Reason::kInternalError, "an object's bytes contain a resourceVersion");
  return {};
}

// Where the resourceVersion belongs; 0: nowhere.
size_t version_place(std::string_view text) {
  Cursor at(text);
  at.enter_object();
  for (std::string_view key; at.next_member(&key);) {
    if (key != "metadata") {
      at.skip();
      continue;
    }
    if (!at.enter_object()) return 0;
    while (at.next_member(&key)) {
      if (key >= kVersionKey) return at.offset() - key.size() - 3;
      at.skip();
    }
    return at.failed() ? 0 : at.offset() - 1;
  }
  return 0;
}

TextParts spliced(std::string_view text, size_t place, uint64_t revision, std::string* scratch) {
  // At the closing brace the comma goes before, unless metadata is empty; else it goes behind.
  const bool last = text[place] == '}', alone = last && text[place - 1] == '{';
  scratch->assign(last && !alone ? "," : "").append("\"resourceVersion\":\"").append(std::to_string(revision));
  scratch->append(last ? "\"" : "\",");
  return {text.substr(0, place), *scratch, text.substr(place)};
}

}  // namespace

const OwnerRef* ObjectHeader::controller() const {
  for (const OwnerRef& owner : owners) {
    if (owner.controller) return &owner;
  }
  return nullptr;
}

std::string_view ObjectHeader::label(std::string_view key) const {
  auto it =
      std::lower_bound(labels.begin(), labels.end(), key, [](auto& l, std::string_view k) { return l.first < k; });
  return it != labels.end() && it->first == key ? std::string_view(it->second) : std::string_view();
}

Result<ObjectPtr> Object::from_bytes(Bytes bytes, uint64_t revision) {
  auto object = std::make_shared<Object>();
  if (Status s = read_header(bytes.view(), &object->header_, &object->splice_); !s.ok()) return s;
  object->bytes_ = std::move(bytes);
  object->revision_ = revision;
  return ObjectPtr(std::move(object));
}

ObjectPtr Object::from_value(json::Value value, uint64_t revision) {
  value["metadata"].erase(kVersionKey);
  if (!value["metadata"].is_object()) value["metadata"] = json::Value::object();
  auto object = from_bytes(json::write_bytes(value), revision);
  assert(object.ok());  // what write() made has the form that read_header() wants
  return *object;
}

namespace {

// The text without metadata.managedFields; empty if there are none.
std::string without_managed_fields(std::string_view text) {
  constexpr std::string_view kKey = "\"managedFields\":";
  const std::string_view found = find_raw(text, "metadata.managedFields");
  if (found.empty()) return {};
  std::string_view before = text.substr(0, static_cast<size_t>(found.data() - text.data()) - kKey.size());
  std::string_view after = text.substr(before.size() + kKey.size() + found.size());
  if (after.front() == ',') {
    after.remove_prefix(1);
  } else if (before.back() == ',') {
    before.remove_suffix(1);
  }
  std::string out;
  out.reserve(before.size() + after.size());
  return out.append(before).append(after);
}

}  // namespace

json::Value Object::value() const {
  const std::string less = without_managed_fields(bytes_.view());
  auto value = json::parse(less.empty() ? bytes_.view() : std::string_view(less));
  if (!value.ok()) return json::Value::object();
  if (revision_) (*value)["metadata"].set(kVersionKey, std::to_string(revision_));
  return *std::move(value);
}

json::Value Object::whole() const {
  auto value = json::parse(bytes_);
  if (!value.ok()) return json::Value::object();
  if (revision_) (*value)["metadata"].set(kVersionKey, std::to_string(revision_));
  return *std::move(value);
}

TextParts with_revision(std::string_view text, uint64_t revision, std::string* scratch) {
  const size_t place = revision == 0 ? 0 : version_place(text);
  return place == 0 ? TextParts{text, {}, {}} : spliced(text, place, revision, scratch);
}

TextParts Object::parts(std::string* scratch) const {
  return revision_ == 0 ? TextParts{bytes_.view(), {}, {}} : spliced(bytes_.view(), splice_, revision_, scratch);
}

std::string Object::text() const {
  std::string scratch, out;
  const TextParts all = parts(&scratch);
  out.reserve(all[0].size() + all[1].size() + all[2].size());
  for (std::string_view part : all) out.append(part);
  return out;
}

}  // namespace lotse
