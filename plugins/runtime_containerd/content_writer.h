// One blob on its way into containerd's content store: Content/Write's two-way stream, used by a thread that waits.
#pragma once
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "lotse/runtime_containerd/containerd.pb.h"
#include "plugins/runtime_containerd/containerd_client.h"
#include "plugins/runtime_containerd/names.h"

namespace lotse::runtime_containerd {

class ContentWriter {
 public:
  ContentWriter(ContainerdClient& client, CallLimits limits);
  ~ContentWriter();

  // Sends one message and waits for its answer.
  Outcome<ctrd::WriteContentResponse> exchange(const ctrd::WriteContentRequest& request);

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<std::string> answer;
    std::optional<GrpcStatus> end;
    std::shared_ptr<GrpcStream> stream;  // the reactor's
  };
  ContainerdClient& client_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

}  // namespace lotse::runtime_containerd
