// securityContext of pod and container in one, as the runtime wants it.
#pragma once
#include <string>

#include "core/base/msgpack.h"
#include "core/base/result.h"
#include "core/object/json.h"

namespace lotse::agent {

MsgValue sandbox_security(const json::Value& pod);
// `image_user` is what the image would run as. kInvalid: runAsNonRoot forbids it.
Result<MsgValue> container_security(const json::Value& pod, const json::Value& container, std::string_view image_user);

}  // namespace lotse::agent
