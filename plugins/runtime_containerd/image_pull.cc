// image_pull: CRI's PullImage, which tells nothing of its progress. From a mirror the image is pulled under its name
// there, and then gets its own.
#include "lotse/runtime_containerd/containerd.pb.h"
#include "plugins/runtime_containerd/cri_answer.h"
#include "plugins/runtime_containerd/runtime.h"

namespace lotse::runtime_containerd {
namespace {

constexpr int64_t kSecond = 1'000'000'000, kMs = 1'000'000;
constexpr int64_t kReadyTimeoutNs = 60 * kSecond, kNameTimeoutNs = 60 * kSecond;
constexpr int64_t kPullTimeoutNs = 24 * 3600 * kSecond;
constexpr char kOfCri[] = "io.cri-containerd.image";

// The credentials are for the registry that is asked, and for no other that it may lead to.
std::string server_of(const std::string& registry) {
  return "https://" + (registry == "docker.io" ? "registry-1.docker.io" : registry);
}

cri::PullImageRequest pull_request(const Msg& request, const PullSource& source) {
  cri::PullImageRequest out;
  out.mutable_image()->set_image(source.name);
  const Msg& auth = get_map(request, "auth");
  if (!auth.members().empty()) {
    out.mutable_auth()->set_username(get_text(auth, "username"));
    out.mutable_auth()->set_password(get_text(auth, "password"));
    out.mutable_auth()->set_identity_token(get_text(auth, "identity_token"));
    out.mutable_auth()->set_registry_token(get_text(auth, "registry_token"));
    out.mutable_auth()->set_server_address(server_of(source.registry));
  }
  const Msg& pod = get_map(request, "pod");
  if (!pod.members().empty()) {
    out.mutable_sandbox_config()->mutable_metadata()->set_namespace_(get_text(pod, "namespace"));
    out.mutable_sandbox_config()->mutable_metadata()->set_name(get_text(pod, "name"));
  }
  return out;
}

// What containerd knows under that name.
Co<std::optional<ctrd::Image>> named(Engine& engine, std::string name, int64_t deadline) {
  ctrd::ListImagesRequest request;
  request.add_filters("name==\"" + name + "\"");
  auto found = co_await engine.call<ctrd::ListImagesResponse>(method::kImageList, request, deadline);
  if (found.images().empty()) co_return std::nullopt;
  co_return found.images(0);
}

Co<Done> put_name(Engine& engine, ctrd::Image image, int64_t deadline) {
  ctrd::ImageRequest request;
  *request.mutable_image() = std::move(image);
  auto made = co_await engine.try_call<ctrd::ImageResponse>(method::kImageCreate, request, deadline);
  if (made.ok()) co_return Done{};
  if (made.code() != LOTSE_EXISTS) made.failure().raise();
  request.mutable_update_mask()->add_paths("target");
  co_await engine.call<ctrd::ImageResponse>(method::kImageUpdate, request, deadline);
  co_return Done{};
}

// CRI takes names up by events.
Co<Done> wait_for_cri(Engine& engine, std::string name, std::string id, int64_t deadline) {
  cri::ImageStatusRequest request;
  request.mutable_image()->set_image(name);
  for (int64_t delay = kMs; Reactor::now_ns() < deadline; delay = std::min(2 * delay, 200 * kMs)) {
    auto known = co_await engine.call<cri::ImageStatusResponse>(method::kImageStatus, request, deadline);
    if (known.image().id() == id) co_return Done{};
    co_await engine.sleep(delay);
  }
  throw sdk::Failure(LOTSE_DEADLINE, "containerd has not taken up " + name + " in time");
}

class PullStream : public sdk::Producer {
 public:
  PullStream(Engine& engine, PullSource source, cri::PullImageRequest request)
      : Producer(engine.executor()), engine_(engine), source_(std::move(source)), request_(std::move(request)) {}

 protected:
  void on_open() override {
    engine_.reactor.post([self = shared()] {
      self->engine_.add(self, [self] { self->stop(LOTSE_CANCELLED, "the plugin is being stopped"); });
      self->engine_.spawn_step([self] { return self->run(); });
    });
  }
  void on_cancel() override {
    engine_.reactor.post([self = shared()] { self->stop(LOTSE_CANCELLED, "cancelled"); });
  }

 private:
  std::shared_ptr<PullStream> shared() { return std::static_pointer_cast<PullStream>(shared_from_this()); }

  Co<Done> run() {
    auto self = shared();
    std::string advice;
    try {
      co_await engine_.ready(Reactor::now_ns() + kReadyTimeoutNs);
      advice = engine_.trust(source_);
      bool keep = false;  // the mirror's name, which somebody else has asked for
      if (source_.is_mirror()) {
        auto before = co_await named(engine_, source_.name, Reactor::now_ns() + kNameTimeoutNs);
        keep = before.has_value();
      }
      if (done_) co_return Done{};
      std::string id = co_await pull();
      if (done_) co_return Done{};
      if (source_.is_mirror()) co_await give_name(id, keep);
      if (done_) co_return Done{};
      done_ = true;
      end(Msg::map({{"id", id}}));
      engine_.remove(this);
    } catch (...) {
      auto caught = sdk::caught("image_pull");
      stop(caught.code, caught.sentence + advice);
    }
    co_return Done{};
  }

  Co<std::string> pull() {
    std::weak_ptr<PullStream> weak = shared();
    auto answer = std::make_shared<cri::PullImageResponse>();
    Callback<Verdict> whole([&](std::function<void(Verdict)> ended) {
      ended_ = std::move(ended);
      GrpcHandler handler;
      handler.on_message = [answer](std::string_view m) {
        answer->ParseFromArray(m.data(), static_cast<int>(m.size()));
      };
      handler.on_end = [weak](const GrpcStatus& status) {
        auto self = weak.lock();
        if (!self) return;
        if (auto tell = std::exchange(self->ended_, nullptr)) {
          Verdict verdict = status.ok() ? Verdict(Done{}) : Verdict(failure_of(status));
          self->engine_.reactor.post([tell, verdict] { tell(verdict); });
        }
      };
      pull_ = engine_.client.stream(method::kPullImage, std::move(handler), {Reactor::now_ns() + kPullTimeoutNs, {}});
      pull_->send(request_.SerializeAsString());
      pull_->finish();
    });
    Verdict verdict = co_await whole;
    if (!verdict.ok()) verdict.failure().raise();
    co_return answer->image_ref();
  }

  Co<Done> give_name(std::string id, bool keep_other) {
    int64_t deadline = Reactor::now_ns() + kNameTimeoutNs;
    auto pulled = co_await named(engine_, source_.name, deadline);
    if (!pulled) throw sdk::Failure(LOTSE_UNAVAILABLE, source_.name + " was pulled and is gone again");
    ctrd::Image image;
    image.set_name(source_.image);
    *image.mutable_target() = pulled->target();
    (*image.mutable_labels())[kOfCri] = "managed";
    co_await put_name(engine_, std::move(image), deadline);
    co_await wait_for_cri(engine_, source_.image, id, deadline);
    if (keep_other) co_return Done{};
    ctrd::DeleteImageRequest request;
    request.set_name(source_.name);
    auto gone = co_await engine_.try_call<ctrd::Empty>(method::kImageDelete, request, deadline);
    if (!gone.ok() && gone.code() != LOTSE_NOT_FOUND) gone.failure().raise();
    co_return Done{};
  }

  void stop(int32_t code, std::string_view sentence) {
    if (done_) return;
    done_ = true;
    fail(code, sentence);
    if (pull_) pull_->cancel();
    if (auto tell = std::exchange(ended_, nullptr)) engine_.reactor.post([tell] { tell(Done{}); });
    engine_.remove(this);
  }

  Engine& engine_;
  const PullSource source_;
  const cri::PullImageRequest request_;
  std::shared_ptr<GrpcStream> pull_;
  std::function<void(Verdict)> ended_;
  bool done_ = false;
};

}  // namespace

sdk::ProducerPtr ContainerdRuntime::image_pull(const Msg& request) {
  PullSource source = pull_source(request);
  return std::make_shared<PullStream>(engine_, source, pull_request(request, source));
}

}  // namespace lotse::runtime_containerd
