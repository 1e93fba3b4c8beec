// What a list, watch or deletecollection asks for.
#pragma once
#include "core/api/call.h"

namespace lotse::api {

struct Selection {
  LabelSelector labels;
  FieldSelector fields;
  std::string name;  // of metadata.name=...; empty: all
};
// kBadRequest for what cannot be parsed or a field that the kind has no selector for.
Result<Selection> read_selection(const Call& call);
Result<store::ListQuery> read_list(const Call& call);
std::string continue_token(uint64_t revision, std::string_view last_ns, std::string_view last_name);

}  // namespace lotse::api
