#include "plugins/runtime_containerd/containerd_client.h"

#include <google/protobuf/message_lite.h>

#include <condition_variable>

namespace lotse::runtime_containerd {
namespace {

constexpr int64_t kDefaultTimeout = 120'000'000'000;

GrpcOptions options_of(const CallLimits& limits) {
  GrpcOptions options;
  options.deadline_ns = limits.deadline_ns;
  options.metadata.emplace_back("containerd-namespace", kNamespace);
  if (!limits.lease.empty()) options.metadata.emplace_back("containerd-lease", limits.lease);
  return options;
}

int32_t code_of(const GrpcStatus& status) {
  switch (status.code) {
    case GrpcCode::ok:
      return LOTSE_OK;
    case GrpcCode::cancelled:
      return LOTSE_CANCELLED;
    case GrpcCode::invalid_argument:
    case GrpcCode::out_of_range:
      return LOTSE_INVALID;
    case GrpcCode::deadline_exceeded:
      return LOTSE_DEADLINE;
    case GrpcCode::not_found:
      return LOTSE_NOT_FOUND;
    case GrpcCode::already_exists:
      return LOTSE_EXISTS;
    case GrpcCode::permission_denied:
    case GrpcCode::unauthenticated:
      return LOTSE_DENIED;
    case GrpcCode::resource_exhausted:
      return LOTSE_TOO_LARGE;
    case GrpcCode::failed_precondition:
    case GrpcCode::aborted:
      return LOTSE_CONFLICT;
    case GrpcCode::unimplemented:
      return LOTSE_UNSUPPORTED;
    case GrpcCode::unavailable:
      return status.lost_connection ? LOTSE_UNKNOWN : LOTSE_UNAVAILABLE;
    default:
      return LOTSE_UNKNOWN;  // containerd's way to say that runc, CNI or a registry failed
  }
}

}  // namespace

Failure failure_of(const GrpcStatus& status) {
  if (status.message.find("no space left on device") != std::string::npos) return {LOTSE_NO_SPACE, status.message};
  return {code_of(status), status.message};
}

std::string ContainerdClient::serialize(const google::protobuf::MessageLite& message) {
  return message.SerializeAsString();
}

bool ContainerdClient::parse_into(google::protobuf::MessageLite& message, std::string_view bytes) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

void ContainerdClient::begin(const std::string& method, const std::string& request, const CallLimits& limits,
                             std::function<void(Outcome<std::string>)> done) {
  CallLimits bounded = limits;
  if (bounded.deadline_ns == 0) bounded.deadline_ns = Reactor::now_ns() + kDefaultTimeout;
  auto answer = std::make_shared<std::string>();
  GrpcHandler handler;
  handler.on_message = [answer](std::string_view message) { *answer = message; };
  handler.on_end = [answer, done = std::move(done)](const GrpcStatus& status) {
    status.ok() ? done(std::move(*answer)) : done(failure_of(status));
  };
  auto stream = grpc_.open(method, std::move(handler), options_of(bounded));
  stream->send(request);
  stream->finish();
}

Co<Outcome<std::string>> ContainerdClient::raw(std::string method, std::string request, CallLimits limits) {
  Callback<Outcome<std::string>> answer([&](auto done) { begin(method, request, limits, std::move(done)); });
  co_return co_await answer;
}

Outcome<std::string> ContainerdClient::wait_raw(const std::string& method, const std::string& request,
                                                const CallLimits& limits) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable finished;
    std::optional<Outcome<std::string>> answer;
  };
  auto shared = std::make_shared<Shared>();
  reactor_.post([=, this] {
    begin(method, request, limits, [shared](Outcome<std::string> answer) {
      std::lock_guard lock(shared->mutex);
      shared->answer.emplace(std::move(answer));
      shared->finished.notify_one();
    });
  });
  std::unique_lock lock(shared->mutex);
  shared->finished.wait(lock, [&] { return shared->answer.has_value(); });
  return std::move(*shared->answer);
}

std::shared_ptr<GrpcStream> ContainerdClient::stream(std::string_view method, GrpcHandler handler, CallLimits limits) {
  return grpc_.open(method, std::move(handler), options_of(limits));
}

}  // namespace lotse::runtime_containerd
