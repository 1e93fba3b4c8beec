// grpc: grpc.health.v1.Health/Check over HTTP/2 without TLS. Its two messages have one field each, so they are written
// and read by hand: HealthCheckRequest{1: service}, HealthCheckResponse{1: status, SERVING is 1}.
#include <nghttp2/nghttp2.h>

#include "core/agent/handler_runner.h"
#include "core/agent/socket.h"

namespace lotse::agent {
namespace {

constexpr size_t kAnswerMax = 4096, kServiceMax = 1024;
constexpr int kServing = 1;

struct Grpc : Handle::Impl {
  Handler handler;
  HandlerTarget target;
  HandlerRunner::Done done;
  nghttp2_session* session = nullptr;
  std::string request, answer, grpc_status, grpc_message;
  size_t sent = 0;
  bool told = false;
  Socket socket;

  Grpc(Loop& loop, const Handler& h, const HandlerTarget& t, HandlerRunner::Done d)
      : handler(h),
        target(t),
        done(std::move(d)),
        socket(
            loop,
            [this](Status s) { s.ok() ? ask() : tell(false, "error: timeout or failure to connect: " + s.message); },
            [this](std::string_view data) { take(data); },
            [this](Status s) { tell(false, "the connection ended: " + s.message); }) {
    socket.connect(target.ip, target.port, false, {});
  }
  ~Grpc() override { nghttp2_session_del(session); }

  void tell(bool ok, std::string message) {
    if (std::exchange(told, true)) return;
    done({ok, std::move(message)});
  }

  void make_request() {
    auto service = handler.service.substr(0, kServiceMax);
    std::string message;
    if (!service.empty()) {
      message = "\x0a";
      if (service.size() < 128) message += static_cast<char>(service.size());
      else (message += static_cast<char>(0x80 | (service.size() & 127))) += static_cast<char>(service.size() >> 7);
      message += service;
    }
    request = std::string(1, '\0') + std::string("\0\0", 2) + static_cast<char>(message.size() >> 8) +
              static_cast<char>(message.size() & 255) + message;
  }

  void ask() {
    make_request();
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    int failed = nghttp2_session_client_new(&session, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    if (failed) return tell(false, "no HTTP/2 session");
    std::string authority = target.ip + ":" + std::to_string(target.port);
    auto nv = [](std::string_view name, std::string_view value) {
      return nghttp2_nv{reinterpret_cast<uint8_t*>(const_cast<char*>(name.data())),
                        reinterpret_cast<uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
                        NGHTTP2_NV_FLAG_NONE};
    };
    nghttp2_nv headers[] = {nv(":method", "POST"),
                            nv(":scheme", "http"),
                            nv(":path", "/grpc.health.v1.Health/Check"),
                            nv(":authority", authority),
                            nv("content-type", "application/grpc"),
                            nv("te", "trailers"),
                            nv("user-agent", "kube-probe/1.36")};
    nghttp2_data_provider body{};
    body.source.ptr = this;
    body.read_callback = read_body;
    nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
    nghttp2_submit_request(session, nullptr, headers, std::size(headers), &body, nullptr);
    send();
  }

  void send() {
    const uint8_t* data = nullptr;
    for (ssize_t n; (n = nghttp2_session_mem_send(session, &data)) > 0;) {
      socket.write(std::string_view(reinterpret_cast<const char*>(data), static_cast<size_t>(n)));
    }
  }

  void take(std::string_view data) {
    if (told) return;
    if (nghttp2_session_mem_recv(session, reinterpret_cast<const uint8_t*>(data.data()), data.size()) < 0)
      return tell(false, "this is no gRPC server");
    send();
  }

  void judge() {
    if (grpc_status != "0") {
      if (grpc_status == "12")
        return tell(false,
                    "this server does not implement the grpc health protocol (grpc.health.v1.Health): " + grpc_message);
      return tell(false,
                  "health rpc probe failed: code " + (grpc_status.empty() ? "none" : grpc_status) + " " + grpc_message);
    }
    int status = 0;
    if (answer.size() >= 7 && answer[5] == 0x08) status = answer[6];
    if (status == kServing) return tell(true, "service healthy");
    static constexpr const char* kNames[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
    auto name = status >= 0 && status < 4 ? std::string(kNames[status]) : std::to_string(status);
    tell(false, "service unhealthy (responded with \"" + name + "\")");
  }

  static ssize_t read_body(nghttp2_session*, int32_t, uint8_t* buffer, size_t room, uint32_t* flags,
                           nghttp2_data_source* source, void*) {
    auto* self = static_cast<Grpc*>(source->ptr);
    size_t n = std::min(room, self->request.size() - self->sent);
    std::memcpy(buffer, self->request.data() + self->sent, n);
    self->sent += n;
    if (self->sent == self->request.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(n);
  }
  static int on_header(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size,
                       const uint8_t* value, size_t value_size, uint8_t, void* user) {
    auto* self = static_cast<Grpc*>(user);
    std::string_view key(reinterpret_cast<const char*>(name), name_size);
    std::string text(reinterpret_cast<const char*>(value), value_size);
    if (key == "grpc-status") self->grpc_status = text;
    if (key == "grpc-message") self->grpc_message = text;
    return 0;
  }
  static int on_data(nghttp2_session*, uint8_t, int32_t, const uint8_t* data, size_t size, void* user) {
    auto* self = static_cast<Grpc*>(user);
    self->answer.append(reinterpret_cast<const char*>(data),
                        std::min(size, kAnswerMax - std::min(self->answer.size(), kAnswerMax)));
    return 0;
  }
  static int on_close(nghttp2_session*, int32_t, uint32_t, void* user) {
    static_cast<Grpc*>(user)->judge();
    return 0;
  }
};

}  // namespace

std::unique_ptr<Handle::Impl> run_grpc(Loop& loop, const Handler& handler, const HandlerTarget& target,
                                       HandlerRunner::Done done) {
  return std::make_unique<Grpc>(loop, handler, target, std::move(done));
}

}  // namespace lotse::agent
