// events: containerd's own, as far as they concern our sandboxes and containers.
#include "lotse/runtime_containerd/containerd.pb.h"
#include "plugins/runtime_containerd/cri_answer.h"
#include "plugins/runtime_containerd/runtime.h"

namespace lotse::runtime_containerd {
namespace {

constexpr int64_t kMs = 1'000'000, kSecond = 1'000'000'000;
constexpr int64_t kOpenTimeoutNs = 60 * kSecond;
constexpr int64_t kQuickCallNs = 30 * kSecond;
constexpr int64_t kSettleNs = 10 * kSecond;
constexpr size_t kQueueMax = 4096;
constexpr char kMarkerTopic[] = "/lotse/subscribed";

struct RawEvent {
  std::string topic;
  std::string value;
  int64_t time = 0;
};

int64_t unix_ns(const ctrd::Timestamp& t) {
  return t.seconds() * kSecond + t.nanos();
}

class EventStream : public sdk::Producer {
 public:
  explicit EventStream(Engine& engine) : Producer(engine.executor()), engine_(engine) {}

 protected:
  void on_open() override {
    engine_.reactor.post([self = shared()] {
      self->engine_.add(self, [self] { self->stop(LOTSE_CANCELLED, "the plugin is being stopped"); });
      self->engine_.spawn_step([self] { return self->run(); });
    });
  }
  void on_credit() override {
    engine_.reactor.post([self = shared()] { self->wake(); });
  }
  void on_cancel() override {
    engine_.reactor.post([self = shared()] { self->stop(LOTSE_CANCELLED, "cancelled"); });
  }

 private:
  struct Known {
    const char* kind;
    std::string sandbox;
    bool ours;
  };

  std::shared_ptr<EventStream> shared() { return std::static_pointer_cast<EventStream>(shared_from_this()); }

  Co<Done> run() {
    auto self = shared();
    try {
      // An events stream waits for containerd as long as it takes: it is how the agent learns that it is up.
      while (!done_) {
        bool up = true;
        try {
          co_await engine_.ready(Reactor::now_ns() + kOpenTimeoutNs);
        } catch (const sdk::Failure& failure) {
          if (failure.code() == LOTSE_CANCELLED) throw;
          up = false;
        }
        if (up) break;
      }
      if (done_) co_return Done{};
      subscribe();
      co_await await_subscription();
      while (!done_) co_await step();
    } catch (...) {
      auto caught = sdk::caught("events");
      stop(caught.code, caught.sentence);
    }
    co_return Done{};
  }

  void subscribe() {
    GrpcHandler handler;
    std::weak_ptr<EventStream> weak = shared();
    handler.on_message = [weak](std::string_view message) {
      if (auto self = weak.lock()) self->received(message);
    };
    handler.on_end = [weak](const GrpcStatus& status) {
      if (auto self = weak.lock()) self->stop(LOTSE_UNAVAILABLE, "containerd's events have ended: " + status.message);
    };
    ctrd::SubscribeRequest request;
    for (const char* topic :
         {"/tasks/start", "/tasks/exit", "/tasks/oom", "/containers/create", "/containers/delete"}) {
      add_filter(request, topic);
    }
    add_filter(request, kMarkerTopic);
    subscription_ = engine_.client.stream(method::kEventsSubscribe, std::move(handler));
    subscription_->send(request.SerializeAsString());
    subscription_->finish();
  }

  static void add_filter(ctrd::SubscribeRequest& request, const char* topic) {
    request.add_filters(std::string("namespace==") + kNamespace + ",topic==\"" + topic + "\"");
  }

  // containerd does not say when a subscription has begun, so events of our own are published until one comes back.
  // Then nothing more is lost, and the opener is told to list.
  Co<Done> await_subscription() {
    std::string mine = engine_.fresh_name("marker");
    marker_ = mine;
    ctrd::PublishRequest request;
    request.set_topic(kMarkerTopic);
    request.mutable_event()->set_type_url("lotse.local/marker");
    request.mutable_event()->set_value(mine);
    for (int64_t delay = 5 * kMs; !done_ && !subscribed_; delay = std::min(delay * 2, kSecond)) {
      co_await engine_.try_call<ctrd::Empty>(method::kEventsPublish, request, Reactor::now_ns() + kQuickCallNs);
      if (!done_ && !subscribed_) co_await engine_.sleep(delay);
    }
    lost_ = true;
    co_return Done{};
  }

  void received(std::string_view message) {
    ctrd::Envelope envelope;
    if (!envelope.ParseFromArray(message.data(), static_cast<int>(message.size()))) return;
    if (envelope.topic() == kMarkerTopic) {
      subscribed_ |= envelope.event().value() == marker_;
      return;
    }
    if (queue_.size() >= kQueueMax) {
      queue_.clear();
      lost_ = true;
    }
    queue_.push_back({envelope.topic(), envelope.event().value(), unix_ns(envelope.timestamp())});
    wake();
  }

  Co<Done> step() {
    if (credit() == 0 || (queue_.empty() && !lost_)) {
      Callback<Done> more([&](std::function<void(Done)> done) { waiter_ = std::move(done); });
      co_await more;
      co_return Done{};
    }
    if (lost_) {
      lost_ = false;
      send(LOTSE_STDIN, Msg::map({{"kind", "resync"}}).encode());
      co_return Done{};
    }
    RawEvent event = std::move(queue_.front());
    queue_.pop_front();
    co_await forward(std::move(event));
    co_return Done{};
  }

  Co<Done> forward(RawEvent event) {
    if (event.topic == "/tasks/start") {
      co_await report(id_of_task(event.value), "started", event.time);
    } else if (event.topic == "/tasks/oom") {
      std::string id = id_of_task(event.value);
      engine_.note_oom(id);
      co_await report(id, "oom", event.time);
    } else if (event.topic == "/tasks/exit") {
      ctrd::TaskExit exit;
      bool main_process = exit.ParseFromString(event.value) && (exit.id().empty() || exit.id() == exit.container_id());
      if (main_process) {
        co_await settle(exit.container_id());
        co_await report(exit.container_id(), "exited", exit.has_exited_at() ? unix_ns(exit.exited_at()) : event.time);
      }
    } else if (event.topic == "/containers/create") {
      co_await report(id_of_container(event.value), "created", event.time);
    } else if (event.topic == "/containers/delete") {
      std::string id = id_of_container(event.value);
      co_await report(id, "removed", event.time);
      known_.erase(id);
    }
    co_return Done{};
  }

  static std::string id_of_task(const std::string& value) {
    ctrd::TaskEvent event;
    return event.ParseFromString(value) ? event.container_id() : "";
  }
  static std::string id_of_container(const std::string& value) {
    ctrd::ContainerEvent event;
    return event.ParseFromString(value) ? event.id() : "";
  }

  // CRI works the same event off by itself, and would call the container running for some milliseconds still.
  Co<Done> settle(std::string id) {
    const Known* known = co_await look_up(id);
    if (known == nullptr || !known->ours) co_return Done{};
    bool sandbox = known->sandbox.empty();
    int64_t until = Reactor::now_ns() + kSettleNs;
    for (int64_t delay = kMs; !done_ && Reactor::now_ns() < until; delay = std::min(delay * 2, 100 * kMs)) {
      bool settled = false;
      if (sandbox) {
        cri::PodSandboxStatusRequest request;
        request.set_pod_sandbox_id(id);
        auto status =
            co_await engine_.try_call<cri::PodSandboxStatusResponse>(method::kPodSandboxStatus, request, until);
        settled = !status.ok() || status->status().state() == cri::SANDBOX_NOTREADY;
      } else {
        cri::ContainerStatusRequest request;
        request.set_container_id(id);
        auto status = co_await engine_.try_call<cri::ContainerStatusResponse>(method::kContainerStatus, request, until);
        settled = !status.ok() || status->status().state() == cri::CONTAINER_EXITED;
      }
      if (settled) break;
      co_await engine_.sleep(delay);
    }
    co_return Done{};
  }

  Co<Done> report(std::string id, const char* what, int64_t time) {
    const Known* known = co_await look_up(id);
    if (known == nullptr || !known->ours || done_) co_return Done{};
    Msg event = Msg::map({{"kind", known->kind}, {"id", id}, {"event", what}, {"time", time}});
    event.set("sandbox", known->sandbox.empty() ? id : known->sandbox);
    send(LOTSE_STDIN, event.encode());
    co_return Done{};
  }

  // What a container is does not change, so it is asked for once.
  Co<const Known*> look_up(std::string id) {
    if (auto it = known_.find(id); it != known_.end()) co_return &it->second;
    ctrd::GetContainerRequest request;
    request.set_id(id);
    auto found = co_await engine_.try_call<ctrd::GetContainerResponse>(method::kContainerGet, request,
                                                                       Reactor::now_ns() + kQuickCallNs);
    if (!found.ok()) co_return nullptr;
    auto& labels = found->container().labels();
    auto label = [&](const char* key) {
      auto it = labels.find(key);
      return it == labels.end() ? std::string() : it->second;
    };
    bool sandbox = label("io.cri-containerd.kind") == "sandbox";
    Known known{sandbox ? "sandbox" : "container", sandbox ? "" : label(mark::kSandbox),
                label(mark::kOwner) == engine_.settings.machine.owner};
    co_return &known_.emplace(id, std::move(known)).first->second;
  }

  void wake() {
    if (auto waiter = std::exchange(waiter_, nullptr)) engine_.reactor.post([waiter] { waiter(Done{}); });
  }

  void stop(int32_t code, std::string_view sentence) {
    if (done_) return;
    done_ = true;
    fail(code, sentence);
    if (subscription_) subscription_->cancel();
    wake();
    engine_.remove(this);
  }

  Engine& engine_;
  // The reactor's:
  std::shared_ptr<GrpcStream> subscription_;
  std::string marker_;
  std::deque<RawEvent> queue_;
  std::map<std::string, Known> known_;
  std::function<void(Done)> waiter_;
  bool subscribed_ = false, lost_ = false, done_ = false;
};

}  // namespace

sdk::ProducerPtr ContainerdRuntime::events(const Msg&) {
  return std::make_shared<EventStream>(engine_);
}

}  // namespace lotse::runtime_containerd
