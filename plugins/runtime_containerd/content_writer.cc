#include "plugins/runtime_containerd/content_writer.h"

namespace lotse::runtime_containerd {

ContentWriter::ContentWriter(ContainerdClient& client, CallLimits limits) : client_(client) {
  client_.reactor().post([shared = shared_, limits = std::move(limits), &client] {
    GrpcHandler handler;
    handler.on_message = [shared](std::string_view message) {
      std::lock_guard lock(shared->mutex);
      shared->answer.emplace(message);
      shared->changed.notify_one();
    };
    handler.on_end = [shared](const GrpcStatus& status) {
      std::lock_guard lock(shared->mutex);
      shared->end = status;
      shared->changed.notify_one();
    };
    shared->stream = client.stream(method::kContentWrite, std::move(handler), limits);
  });
}

ContentWriter::~ContentWriter() {
  client_.reactor().post([shared = shared_] {
    if (shared->stream) shared->stream->cancel();
    shared->stream.reset();
  });
}

Outcome<ctrd::WriteContentResponse> ContentWriter::exchange(const ctrd::WriteContentRequest& request) {
  client_.reactor().post([shared = shared_, bytes = request.SerializeAsString()] { shared->stream->send(bytes); });
  std::unique_lock lock(shared_->mutex);
  shared_->changed.wait(lock, [&] { return shared_->answer || shared_->end; });
  if (!shared_->answer) {
    if (shared_->end->ok()) return Failure{LOTSE_INTERNAL, "containerd ended the write without an answer"};
    return failure_of(*shared_->end);
  }
  std::string bytes = std::move(*shared_->answer);
  shared_->answer.reset();
  ctrd::WriteContentResponse answer;
  if (!answer.ParseFromString(bytes)) return Failure{LOTSE_INTERNAL, "containerd sent an answer that cannot be read"};
  return answer;
}

}  // namespace lotse::runtime_containerd
