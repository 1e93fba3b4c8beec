// Bodies in Kubernetes' protobuf encoding, as kubectl and client-go may send them: decoded into a document by the table of
// kinds and the numbers of protobuf_fields.cc. What goes out is always JSON.
#pragma once
#include <string_view>

#include "core/base/result.h"
#include "core/object/json.h"
#include "core/schema/schema.h"

namespace lotse::api {

extern const std::string_view kProtobufFields[];
extern const size_t kProtobufFieldsCount;

// The envelope's kind decides, `expected` if it names none. kBadRequest for what is damaged, kUnsupportedMediaType for a kind without a table.
Result<json::Value> decode_protobuf(std::string_view body, std::string_view expected_version, std::string_view expected_kind);

}  // namespace lotse::api
