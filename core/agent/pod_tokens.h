// The service account tokens of one pod: asked for by TokenRequest, bound to the pod, renewed when four fifths of their
// life (or a day) have passed. [loop]
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/agent/volumes.h"
#include "core/api/client.h"
#include "core/base/loop.h"

namespace lotse::agent {

class PodTokens {
 public:
  struct Pod { std::string ns, name, uid, service_account; };
  // changed: a token has come or was renewed; failed: a sentence. Neither from within a call.
  PodTokens(api::Client& client, Loop& loop, Pod pod, std::vector<TokenKey> keys, std::function<void()> changed,
            std::function<void(std::string)> failed);
  ~PodTokens();
  const Tokens& tokens() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// When a token that is valid from `issued` to `expires` is asked for anew.
WallTime token_renewal(WallTime issued, WallTime expires);

}  // namespace lotse::agent
