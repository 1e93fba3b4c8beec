// containerd as typed calls: which method is called with which message, and what its errors mean to our callers.
//
// Threads: the reactor's, except for the `wait` calls, which block a worker thread.
#pragma once
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "plugins/container_engine/co.h"
#include "plugins/container_engine/outcome.h"
#include "plugins/container_engine/reactor.h"
#include "plugins/grpc_client/grpc_client.h"
#include "plugins/runtime_containerd/names.h"

namespace google::protobuf {
class MessageLite;
}

namespace lotse::runtime_containerd {

// CRI keeps everything of Kubernetes in this containerd namespace.
inline constexpr char kNamespace[] = "k8s.io";

// What a call is bound by.
struct CallLimits {
  int64_t deadline_ns = 0;  // CLOCK_MONOTONIC; 0: kDefaultTimeout from now
  std::string lease;        // keeps what the call makes from containerd's garbage collection
};

Failure failure_of(const GrpcStatus& status);

class ContainerdClient {
 public:
  ContainerdClient(Reactor& reactor, GrpcClient& grpc) : reactor_(reactor), grpc_(grpc) {}

  // method: "/runtime.v1.RuntimeService/Status" and so on. The answer is parsed into the type asked for.
  template <class Answer>
  Co<Outcome<Answer>> call(std::string_view method, const google::protobuf::MessageLite& request,
                           CallLimits limits = {}) {
    return parse<Answer>(raw(std::string(method), serialize(request), std::move(limits)));
  }

  // The same for a thread of the pool, which waits. Must not be called on the reactor's thread.
  template <class Answer>
  Outcome<Answer> wait(std::string_view method, const google::protobuf::MessageLite& request, CallLimits limits = {}) {
    Outcome<std::string> answer = wait_raw(std::string(method), serialize(request), std::move(limits));
    if (!answer.ok()) return answer.failure();
    return parsed<Answer>(*answer);
  }

  std::shared_ptr<GrpcStream> stream(std::string_view method, GrpcHandler handler, CallLimits limits = {});

  Reactor& reactor() { return reactor_; }

 private:
  static std::string serialize(const google::protobuf::MessageLite& message);
  static bool parse_into(google::protobuf::MessageLite& message, std::string_view bytes);

  template <class Answer>
  static Outcome<Answer> parsed(const std::string& bytes) {
    Answer message;
    if (!parse_into(message, bytes)) return Failure{LOTSE_INTERNAL, "containerd sent an answer that cannot be read"};
    return message;
  }
  template <class Answer>
  static Co<Outcome<Answer>> parse(Co<Outcome<std::string>> step) {
    Outcome<std::string> answer = co_await std::move(step);
    if (!answer.ok()) co_return answer.failure();
    co_return parsed<Answer>(*answer);
  }

  Co<Outcome<std::string>> raw(std::string method, std::string request, CallLimits limits);
  Outcome<std::string> wait_raw(const std::string& method, const std::string& request, const CallLimits& limits);
  void begin(const std::string& method, const std::string& request, const CallLimits& limits,
             std::function<void(Outcome<std::string>)> done);

  Reactor& reactor_;
  GrpcClient& grpc_;
};

// The methods in use.
namespace method {
inline constexpr char kVersion[] = "/runtime.v1.RuntimeService/Version";
inline constexpr char kStatus[] = "/runtime.v1.RuntimeService/Status";
inline constexpr char kRunPodSandbox[] = "/runtime.v1.RuntimeService/RunPodSandbox";
inline constexpr char kStopPodSandbox[] = "/runtime.v1.RuntimeService/StopPodSandbox";
inline constexpr char kRemovePodSandbox[] = "/runtime.v1.RuntimeService/RemovePodSandbox";
inline constexpr char kPodSandboxStatus[] = "/runtime.v1.RuntimeService/PodSandboxStatus";
inline constexpr char kListPodSandbox[] = "/runtime.v1.RuntimeService/ListPodSandbox";
inline constexpr char kCreateContainer[] = "/runtime.v1.RuntimeService/CreateContainer";
inline constexpr char kStartContainer[] = "/runtime.v1.RuntimeService/StartContainer";
inline constexpr char kStopContainer[] = "/runtime.v1.RuntimeService/StopContainer";
inline constexpr char kRemoveContainer[] = "/runtime.v1.RuntimeService/RemoveContainer";
inline constexpr char kContainerStatus[] = "/runtime.v1.RuntimeService/ContainerStatus";
inline constexpr char kListContainers[] = "/runtime.v1.RuntimeService/ListContainers";
inline constexpr char kUpdateContainerResources[] = "/runtime.v1.RuntimeService/UpdateContainerResources";
inline constexpr char kListContainerStats[] = "/runtime.v1.RuntimeService/ListContainerStats";
inline constexpr char kReopenContainerLog[] = "/runtime.v1.RuntimeService/ReopenContainerLog";
inline constexpr char kAttach[] = "/runtime.v1.RuntimeService/Attach";
inline constexpr char kListImages[] = "/runtime.v1.ImageService/ListImages";
inline constexpr char kImageStatus[] = "/runtime.v1.ImageService/ImageStatus";
inline constexpr char kPullImage[] = "/runtime.v1.ImageService/PullImage";
inline constexpr char kRemoveImage[] = "/runtime.v1.ImageService/RemoveImage";
inline constexpr char kImageFsInfo[] = "/runtime.v1.ImageService/ImageFsInfo";
inline constexpr char kContainerGet[] = "/containerd.services.containers.v1.Containers/Get";
inline constexpr char kTaskGet[] = "/containerd.services.tasks.v1.Tasks/Get";
inline constexpr char kTaskList[] = "/containerd.services.tasks.v1.Tasks/List";
inline constexpr char kTaskKill[] = "/containerd.services.tasks.v1.Tasks/Kill";
inline constexpr char kTaskExec[] = "/containerd.services.tasks.v1.Tasks/Exec";
inline constexpr char kTaskStart[] = "/containerd.services.tasks.v1.Tasks/Start";
inline constexpr char kTaskWait[] = "/containerd.services.tasks.v1.Tasks/Wait";
inline constexpr char kTaskCloseIO[] = "/containerd.services.tasks.v1.Tasks/CloseIO";
inline constexpr char kTaskResizePty[] = "/containerd.services.tasks.v1.Tasks/ResizePty";
inline constexpr char kTaskDeleteProcess[] = "/containerd.services.tasks.v1.Tasks/DeleteProcess";
inline constexpr char kEventsSubscribe[] = "/containerd.services.events.v1.Events/Subscribe";
inline constexpr char kEventsPublish[] = "/containerd.services.events.v1.Events/Publish";
inline constexpr char kLeaseCreate[] = "/containerd.services.leases.v1.Leases/Create";
inline constexpr char kLeaseDelete[] = "/containerd.services.leases.v1.Leases/Delete";
inline constexpr char kContentInfo[] = "/containerd.services.content.v1.Content/Info";
inline constexpr char kContentUpdate[] = "/containerd.services.content.v1.Content/Update";
inline constexpr char kContentWrite[] = "/containerd.services.content.v1.Content/Write";
inline constexpr char kContentAbort[] = "/containerd.services.content.v1.Content/Abort";
inline constexpr char kImageList[] = "/containerd.services.images.v1.Images/List";
inline constexpr char kImageCreate[] = "/containerd.services.images.v1.Images/Create";
inline constexpr char kImageDelete[] = "/containerd.services.images.v1.Images/Delete";
inline constexpr char kImageUpdate[] = "/containerd.services.images.v1.Images/Update";
inline constexpr char kSnapshotPrepare[] = "/containerd.services.snapshots.v1.Snapshots/Prepare";
inline constexpr char kSnapshotStat[] = "/containerd.services.snapshots.v1.Snapshots/Stat";
inline constexpr char kSnapshotCommit[] = "/containerd.services.snapshots.v1.Snapshots/Commit";
inline constexpr char kSnapshotRemove[] = "/containerd.services.snapshots.v1.Snapshots/Remove";
inline constexpr char kDiffApply[] = "/containerd.services.diff.v1.Diff/Apply";
}  // namespace method

}  // namespace lotse::runtime_containerd
