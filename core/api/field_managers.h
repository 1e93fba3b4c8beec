// FieldManagers: the entries of metadata.managedFields, decoded. Private to this room.
#pragma once
#include <optional>

#include "core/schema/field_set.h"

namespace lotse::api {

struct FieldManager {
  std::string name, operation, api_version, subresource, time;
  schema::FieldSet fields;
  bool applies() const { return operation == "Apply"; }
  // Who applies is the same in whatever version he does it.
  bool same_as(const FieldManager& o) const {
    return name == o.name && operation == o.operation && subresource == o.subresource && (applies() || api_version == o.api_version);
  }
  std::string described() const;  // "kubectl" with subresource "scale" using apps/v1
};

class FieldManagers {
 public:
  // Nothing if the text is of no known form.
  static std::optional<FieldManagers> decode(json::Value managed_fields);
  json::Value encode();  // takes the sets with it
  bool empty() const { return all_.empty(); }
  std::vector<FieldManager>& all() { return all_; }
  FieldManager* find(const FieldManager& who);
  FieldManager& at(const FieldManager& who);  // made if it is not there
  void drop_empty();
  // Of more than ten that update, the oldest become one.
  void cap();

 private:
  std::vector<FieldManager> all_;
};

}  // namespace lotse::api
