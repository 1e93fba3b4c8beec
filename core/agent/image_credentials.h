// Image names, and which credentials of a pod's imagePullSecrets fit one.
#pragma once
#include <string>
#include <vector>

#include "core/agent/references.h"
#include "core/base/msgpack.h"

namespace lotse::agent {

// "docker.io/library/nginx:latest" for "nginx". kInvalid: no image name.
Result<std::string> normal_image(std::string_view name);

// The `auth` maps to try, best fit first; none: pull without.
std::vector<MsgValue> image_credentials(std::string_view image, const std::vector<ObjectPtr>& secrets);

}  // namespace lotse::agent
