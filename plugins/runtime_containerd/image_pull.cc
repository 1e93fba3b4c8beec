// image_pull: CRI's PullImage, which tells nothing of its progress.
#include "plugins/runtime_containerd/cri_answer.h"
#include "plugins/runtime_containerd/runtime.h"

namespace lotse::runtime_containerd {
namespace {

constexpr int64_t kReadyTimeoutNs = 60'000'000'000;
constexpr int64_t kPullTimeoutNs = int64_t{24} * 3600 * 1'000'000'000;

cri::PullImageRequest pull_request(const Msg& request) {
  cri::PullImageRequest out;
  out.mutable_image()->set_image(need_text(request, "image"));
  const Msg& auth = get_map(request, "auth");
  if (!auth.members().empty()) {
    out.mutable_auth()->set_username(get_text(auth, "username"));
    out.mutable_auth()->set_password(get_text(auth, "password"));
    out.mutable_auth()->set_identity_token(get_text(auth, "identity_token"));
    out.mutable_auth()->set_registry_token(get_text(auth, "registry_token"));
    out.mutable_auth()->set_server_address(get_text(auth, "server"));
  }
  const Msg& pod = get_map(request, "pod");
  if (!pod.members().empty()) {
    out.mutable_sandbox_config()->mutable_metadata()->set_namespace_(get_text(pod, "namespace"));
    out.mutable_sandbox_config()->mutable_metadata()->set_name(get_text(pod, "name"));
  }
  return out;
}

class PullStream : public sdk::Producer {
 public:
  PullStream(Engine& engine, cri::PullImageRequest request)
      : Producer(engine.executor()), engine_(engine), request_(std::move(request)) {}

 protected:
  void on_open() override {
    engine_.reactor.post([self = shared()] {
      self->engine_.add(self, [self] { self->stop(LOTSE_CANCELLED, "the plugin is being stopped"); });
      self->engine_.spawn_step([self] { return self->begin(); });
    });
  }
  void on_cancel() override {
    engine_.reactor.post([self = shared()] { self->stop(LOTSE_CANCELLED, "cancelled"); });
  }

 private:
  std::shared_ptr<PullStream> shared() { return std::static_pointer_cast<PullStream>(shared_from_this()); }

  Co<Done> begin() {
    auto self = shared();
    try {
      co_await engine_.ready(Reactor::now_ns() + kReadyTimeoutNs);
    } catch (...) {
      auto caught = sdk::caught("image_pull");
      stop(caught.code, caught.sentence);
    }
    if (done_) co_return Done{};
    GrpcHandler handler;
    auto answer = std::make_shared<cri::PullImageResponse>();
    handler.on_message = [answer](std::string_view m) { answer->ParseFromArray(m.data(), static_cast<int>(m.size())); };
    handler.on_end = [self, answer](const GrpcStatus& status) {
      if (!status.ok()) {
        Failure failure = failure_of(status);
        return self->stop(failure.code, failure.message);
      }
      if (self->done_) return;
      self->done_ = true;
      self->end(Msg::map({{"id", answer->image_ref()}}));
      self->engine_.remove(self.get());
    };
    pull_ = engine_.client.stream(method::kPullImage, std::move(handler), {Reactor::now_ns() + kPullTimeoutNs, {}});
    pull_->send(request_.SerializeAsString());
    pull_->finish();
    co_return Done{};
  }

  void stop(int32_t code, std::string_view sentence) {
    if (done_) return;
    done_ = true;
    fail(code, sentence);
    if (pull_) pull_->cancel();
    engine_.remove(this);
  }

  Engine& engine_;
  const cri::PullImageRequest request_;
  std::shared_ptr<GrpcStream> pull_;
  bool done_ = false;
};

}  // namespace

sdk::ProducerPtr ContainerdRuntime::image_pull(const Msg& request) {
  return std::make_shared<PullStream>(engine_, pull_request(request));
}

}  // namespace lotse::runtime_containerd
