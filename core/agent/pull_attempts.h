// Where an image is looked for, one place after another: mirrors, then the registry of its name, each with the credentials
// that are for it.
#pragma once
#include <string>
#include <vector>

#include "core/agent/agent.h"
#include "core/base/msgpack.h"

namespace lotse::agent {

struct PullAttempt {
  std::string server;   // "127.0.0.1:5000", for people
  bool mirror = false;
  MsgValue from, auth;  // of image_pull; nil: not needed
  Status problem;       // its files cannot be read: it is not tried
};

// [worker] Reads the files of the registries. `credentials` are those of the pod, best first: they are for the image's own
// registry and tried before the node's.
std::vector<PullAttempt> pull_attempts(const std::string& image, const std::vector<MsgValue>& credentials,
                                       const std::vector<Registry>& registries);

}  // namespace lotse::agent
