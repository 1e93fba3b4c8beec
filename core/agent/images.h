// Images on this node: looked for and pulled by policy, a few at a time; imported from files at the start; collected
// when the disk fills up. [loop]
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/agent/agent.h"
#include "core/agent/container_config.h"
#include "core/agent/runtime.h"

namespace lotse::agent {

class Images {
 public:
  Images(const Config& config, Runtime& runtime, Loop& loop, WorkerPool& pool);
  ~Images();

  struct Wanted {
    std::string image, ns, pod;
    Pull policy = Pull::kIfNotPresent;
    std::vector<MsgValue> credentials;
  };
  // reason: "ErrImagePull", "ErrImageNeverPull", "InvalidImageName", "RegistryUnavailable" with a sentence.
  struct Failure { std::string reason, message; };
  using Said = std::function<void(bool warning, std::string reason, std::string message)>;  // for events
  using Done = std::function<void(std::optional<ImageInfo>, Failure)>;
  void ensure(Wanted wanted, Said said, Done done);

  // Every *.tar in the directory, in order of names; a file that fails is logged.
  void import_all(std::function<void()> done);
  // For node status: the biggest fifty.
  void list(std::function<void(std::vector<MsgValue>)> done);
  // Removes what no container uses until `used_percent` is at most `target`, oldest use first. Counts what was freed.
  void collect(int used_percent, int target, std::function<void(int removed)> done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace lotse::agent
