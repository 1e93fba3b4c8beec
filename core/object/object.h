// Object: what is stored, sent and watched: an immutable, shared byte string of canonical JSON without
// resourceVersion, and a small header with what is asked for all the time. Made once a change, shared by everybody.
#pragma once
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/object/json.h"

namespace lotse {

struct OwnerRef {
  std::string api_version, kind, name, uid;
  bool controller = false, block_owner_deletion = false;
};

using Labels = std::vector<std::pair<std::string, std::string>>;  // sorted by key

struct ObjectHeader {
  std::string api_version, kind;
  std::string ns, name, uid;
  Labels labels;
  std::vector<OwnerRef> owners;
  std::vector<std::string> finalizers;
  WallTime created{}, deletion{};  // zero: not set
  std::string node_name;           // pods: spec.nodeName
  const OwnerRef* controller() const;  // nullptr: none
  std::string_view label(std::string_view key) const;  // "" if absent
};

class Object;
using ObjectPtr = std::shared_ptr<const Object>;

// The text that goes out, in three parts without a copy: before, the spliced `"resourceVersion":"42",`, after. For canonical bytes
// wherever they lie: nothing but the way to the place is read. Revision 0: the bytes as they are.
// REQUIRES: scratch outlives the use of the parts.
using TextParts = std::array<std::string_view, 3>;
TextParts with_revision(std::string_view canonical, uint64_t revision, std::string* scratch);

class Object {
 public:
  // From canonical bytes as the store keeps them; `revision` is the outward resourceVersion (0: none yet).
  static Result<ObjectPtr> from_bytes(Bytes bytes, uint64_t revision);
  // From a document: takes resourceVersion out, writes canonical bytes.
  static ObjectPtr from_value(json::Value value, uint64_t revision);

  const Bytes& bytes() const { return bytes_; }
  const ObjectHeader& header() const { return header_; }
  uint64_t revision() const { return revision_; }
  // Parsed anew at each call: keep it no longer than you need it. With resourceVersion set if there is a revision, and without
  // metadata.managedFields, which are often as long as the rest and which nobody but core/api looks at.
  json::Value value() const;
  json::Value whole() const;  // with them: for who writes the object back as it is, or shows it
  TextParts parts(std::string* scratch) const;  // as of with_revision
  std::string text() const;

 private:
  Bytes bytes_;
  ObjectHeader header_;
  uint64_t revision_ = 0;
  uint32_t splice_ = 0;  // where `"resourceVersion":"…",` goes in
};

}  // namespace lotse
