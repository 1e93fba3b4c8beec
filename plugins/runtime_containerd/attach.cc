// attach: to the container's own process, by way of CRI's streaming server.
#include "plugins/container_engine/json.h"
#include "plugins/runtime_containerd/cri_answer.h"
#include "plugins/runtime_containerd/runtime.h"
#include "plugins/runtime_containerd/spdy_client.h"

namespace lotse::runtime_containerd {
namespace {

constexpr int64_t kOpenTimeoutNs = 60'000'000'000;
constexpr size_t kStatusMax = 64 << 10;
constexpr char kProtocol[] = "v4.channel.k8s.io";

struct AttachRequest {
  std::string container;
  bool in = false, out = false, err = false, tty = false;
};

AttachRequest parse(const Msg& request) {
  AttachRequest out;
  out.container = need_text(request, "id");
  out.in = get_bool(request, "stdin");
  out.out = get_bool(request, "stdout");
  out.tty = get_bool(request, "tty");
  out.err = get_bool(request, "stderr") && !out.tty;
  if (!out.in && !out.out && !out.err) refuse("attach needs one of stdin, stdout, stderr");
  return out;
}

class AttachStream : public sdk::Producer {
 public:
  AttachStream(Engine& engine, AttachRequest request)
      : Producer(engine.executor()), engine_(engine), request_(std::move(request)) {}

 protected:
  void on_open() override {
    engine_.reactor.post([self = shared()] {
      self->engine_.add(self, [self] { self->stop(LOTSE_CANCELLED, "the plugin is being stopped"); });
      self->engine_.spawn_step([self] { return self->open(); });
    });
  }
  void on_credit() override {
    engine_.reactor.post([self = shared()] {
      if (self->spdy_) self->spdy_->room_again();
    });
  }
  bool on_write(uint32_t channel, std::string_view data) override {
    if (channel != LOTSE_STDIN || !request_.in) return false;
    engine_.reactor.post([self = shared(), copy = std::string(data)] {
      if (self->stdin_done_) return self->consumed(copy.size());
      self->pending_ += copy;
      self->flush_input();
    });
    return true;
  }
  void on_half_close(uint32_t channel) override {
    if (channel != LOTSE_STDIN || !request_.in) return;
    engine_.reactor.post([self = shared()] {
      self->closing_ = true;
      self->flush_input();
    });
  }
  bool on_control(uint32_t kind, const Msg& payload) override {
    if (kind != LOTSE_CONTROL_RESIZE || !request_.tty) return false;
    size_ = "{\"Width\":" + std::to_string(need_int(payload, "width", 0, 65535)) +
            ",\"Height\":" + std::to_string(need_int(payload, "height", 0, 65535)) + "}";
    engine_.reactor.post([self = shared(), text = size_] {
      self->wanted_size_ = text;
      self->flush_size();
    });
    return true;
  }
  void on_cancel() override {
    engine_.reactor.post([self = shared()] { self->stop(LOTSE_CANCELLED, "cancelled"); });
  }

 private:
  std::shared_ptr<AttachStream> shared() { return std::static_pointer_cast<AttachStream>(shared_from_this()); }

  Co<Done> open() {
    auto self = shared();
    try {
      int64_t deadline = Reactor::now_ns() + kOpenTimeoutNs;
      co_await engine_.ready(deadline);
      cri::AttachRequest request;
      request.set_container_id(request_.container);
      request.set_stdin(request_.in);
      request.set_stdout(request_.out);
      request.set_stderr(request_.err);
      request.set_tty(request_.tty);
      auto answer = co_await engine_.call<cri::AttachResponse>(method::kAttach, request, deadline);
      HttpTarget target;
      if (!HttpTarget::parse(answer.url(), &target)) {
        throw sdk::Failure(LOTSE_UNSUPPORTED,
                           "containerd's streaming server is at an address that cannot be used here");
      }
      if (!done_) connect(target);
    } catch (...) {
      auto caught = sdk::caught("attach");
      stop(caught.code, caught.sentence);
    }
    co_return Done{};
  }

  void connect(const HttpTarget& target) {
    std::weak_ptr<AttachStream> weak = shared();
    SpdyClient::Handler handler;
    handler.has_room = [this] { return credit() > 0; };
    handler.on_data = [this](size_t index, std::string_view data) { received(index, data); };
    handler.on_stream_end = [](size_t) {};
    handler.on_sent = [this](size_t bytes) { consumed(bytes); };
    handler.on_closed = [weak](const std::string& why) {
      if (auto self = weak.lock()) self->server_closed(why);
    };
    types_ = {"error"};
    auto add = [&](bool wanted, const char* type) {
      if (wanted) types_.emplace_back(type);
      return wanted ? types_.size() - 1 : 0;
    };
    stdin_index_ = add(request_.in, "stdin");
    stdout_index_ = add(request_.out, "stdout");
    stderr_index_ = add(request_.err, "stderr");
    resize_index_ = add(request_.tty, "resize");
    spdy_ = std::make_unique<SpdyClient>(engine_.reactor, std::move(handler));
    spdy_->open(target, kProtocol, types_);
    flush_size();
    flush_input();
  }

  void received(size_t index, std::string_view data) {
    if (index == 0) {
      status_.append(data.substr(0, kStatusMax - std::min(kStatusMax, status_.size())));
    } else if (index == stdout_index_) {
      send(LOTSE_STDOUT, data);
    } else if (index == stderr_index_) {
      send(LOTSE_STDERR, data);
    }
  }

  void flush_input() {
    if (!spdy_ || stdin_done_) return;
    if (!pending_.empty()) spdy_->send(stdin_index_, std::exchange(pending_, {}));
    if (!closing_) return;
    stdin_done_ = true;
    spdy_->finish(stdin_index_);
  }
  void flush_size() {
    if (spdy_ && !wanted_size_.empty()) spdy_->send(resize_index_, std::exchange(wanted_size_, {}));
  }

  void server_closed(const std::string& why) {
    if (done_) return;
    Json status = Json::parse(status_);
    if (status["status"].text() == "Failure") return stop(LOTSE_UNKNOWN, status["message"].text());
    if (!why.empty()) return stop(LOTSE_UNAVAILABLE, why);
    engine_.spawn_step([self = shared()] { return self->finish(); });
  }

  // The exit code, if the container has ended: the streaming server does not tell.
  Co<Done> finish() {
    auto self = shared();
    cri::ContainerStatusRequest request;
    request.set_container_id(request_.container);
    auto known = co_await engine_.try_call<cri::ContainerStatusResponse>(method::kContainerStatus, request,
                                                                         Reactor::now_ns() + kOpenTimeoutNs);
    Msg result = Msg::map();
    if (known.ok() && known->status().state() == cri::CONTAINER_EXITED)
      result.set("exit_code", known->status().exit_code());
    if (!done_) {
      done_ = true;
      end(result);
      engine_.remove(this);
    }
    co_return Done{};
  }

  void stop(int32_t code, std::string_view sentence) {
    if (done_) return;
    done_ = true;
    if (spdy_) spdy_->close();
    fail(code, sentence);
    engine_.remove(this);
  }

  Engine& engine_;
  const AttachRequest request_;
  std::string size_;
  // The reactor's:
  std::unique_ptr<SpdyClient> spdy_;
  std::vector<std::string> types_;
  size_t stdin_index_ = 0, stdout_index_ = 0, stderr_index_ = 0, resize_index_ = 0;
  std::string status_;
  std::string pending_;
  std::string wanted_size_;
  bool closing_ = false, stdin_done_ = false, done_ = false;
};

}  // namespace

sdk::ProducerPtr ContainerdRuntime::attach(const Msg& request) {
  return std::make_shared<AttachStream>(engine_, parse(request));
}

}  // namespace lotse::runtime_containerd
