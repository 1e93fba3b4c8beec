#include "plugins/grpc_client/grpc_client.h"

#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <condition_variable>

#include "plugins/container_engine/reactor.h"

using namespace lotse::grpc_client;
using lotse::container_engine::Reactor;

namespace {

// A server for one connection after the other. What it does is in the method's name.
class FakeServer {
 public:
  FakeServer() {
    char directory[] = "/tmp/lotse-grpc-XXXXXX";
    directory_ = mkdtemp(directory);
    path = directory_ + "/s";
    listen_ = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path.data(), path.size());
    bind(listen_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(listen_, 4);
    pipe(stop_);
    thread_ = std::thread([this] { run(); });
  }
  ~FakeServer() {
    write(stop_[1], "x", 1);
    thread_.join();
    close(listen_), close(stop_[0]), close(stop_[1]);
    unlink(path.c_str());
    rmdir(directory_.c_str());
  }
  std::string path;

 private:
  struct Call {
    std::string path, body, out;
    bool with_message = true;
  };

  void run() {
    while (wait_for(listen_)) {
      int fd = accept(listen_, nullptr, nullptr);
      serve(fd);
      close(fd);
    }
  }
  bool wait_for(int fd) {
    pollfd fds[] = {{fd, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    poll(fds, 2, -1);
    return fds[1].revents == 0;
  }
  void serve(int fd) {
    calls_.clear();
    hang_up_ = false;
    nghttp2_session_callbacks* callbacks;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* f, const uint8_t* n, size_t ns, const uint8_t* v,
                      size_t vs, uint8_t, void* u) {
          if (std::string_view(reinterpret_cast<const char*>(n), ns) == ":path")
            static_cast<FakeServer*>(u)->calls_[f->hd.stream_id].path.assign(reinterpret_cast<const char*>(v), vs);
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* d, size_t s, void* u) {
          static_cast<FakeServer*>(u)->calls_[id].body.append(reinterpret_cast<const char*>(d), s);
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session* s, const nghttp2_frame* f, void* u) {
          bool last =
              (f->hd.flags & NGHTTP2_FLAG_END_STREAM) && (f->hd.type == NGHTTP2_DATA || f->hd.type == NGHTTP2_HEADERS);
          if (last) static_cast<FakeServer*>(u)->answer(s, f->hd.stream_id);
          return 0;
        });
    nghttp2_session* session;
    nghttp2_session_server_new(&session, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session, 0, nullptr, 0);
    char buffer[65536];
    for (bool up = true; up && !hang_up_;) {
      const uint8_t* data;
      for (ssize_t n; (n = nghttp2_session_mem_send(session, &data)) > 0;)
        ::send(fd, data, static_cast<size_t>(n), MSG_NOSIGNAL);
      up = wait_for(fd);
      ssize_t n = up ? recv(fd, buffer, sizeof buffer, 0) : 0;
      if (n <= 0 || nghttp2_session_mem_recv(session, reinterpret_cast<uint8_t*>(buffer), static_cast<size_t>(n)) < 0)
        break;
    }
    nghttp2_session_del(session);
  }
  static nghttp2_nv nv(const char* n, const std::string& v) {
    return {reinterpret_cast<uint8_t*>(const_cast<char*>(n)), reinterpret_cast<uint8_t*>(const_cast<char*>(v.data())),
            strlen(n), v.size(), 0};
  }
  void answer(nghttp2_session* session, int32_t id) {
    Call& call = calls_[id];
    if (call.path == "/hang") return;
    if (call.path == "/drop") {
      hang_up_ = true;
      return;
    }
    std::string ok = "200", type = "application/grpc", code = "5", text = "no%20such%20thing";
    if (call.path == "/missing") {
      nghttp2_nv headers[] = {nv(":status", ok), nv("content-type", type), nv("grpc-status", code),
                              nv("grpc-message", text)};
      nghttp2_submit_response(session, id, headers, 4, nullptr);
      return;
    }
    call.out = call.path == "/twice" ? call.body + call.body : call.body;  // framed as it came
    nghttp2_nv headers[] = {nv(":status", ok), nv("content-type", type)};
    nghttp2_data_provider provider{};
    provider.read_callback = [](nghttp2_session* s, int32_t stream, uint8_t* out, size_t room, uint32_t* flags,
                                nghttp2_data_source*, void* u) -> ssize_t {
      Call& c = static_cast<FakeServer*>(u)->calls_[stream];
      size_t n = std::min(room, c.out.size());
      memcpy(out, c.out.data(), n);
      c.out.erase(0, n);
      if (c.out.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        std::string zero = "0";
        nghttp2_nv trailer[] = {nv("grpc-status", zero)};
        nghttp2_submit_trailer(s, stream, trailer, 1);
      }
      return static_cast<ssize_t>(n);
    };
    nghttp2_submit_response(session, id, headers, 2, &provider);
  }

  std::string directory_;
  int listen_ = -1, stop_[2] = {-1, -1};
  bool hang_up_ = false;
  std::map<int32_t, Call> calls_;
  std::thread thread_;
};

struct Result {
  std::vector<std::string> messages;
  GrpcStatus status;
};

struct Bed {
  explicit Bed(std::string path) : client(reactor, std::move(path)) { reactor.start(); }
  ~Bed() {
    reactor.run([&] { client.close(); });
    reactor.stop();
  }
  Result call(const char* path, const std::string& message, int64_t timeout_ns = 0, bool cancel = false) {
    std::mutex mutex;
    std::condition_variable ended;
    bool done = false;
    Result result;
    reactor.post([&] {
      GrpcHandler handler;
      handler.on_message = [&](std::string_view m) { result.messages.emplace_back(m); };
      handler.on_end = [&](const GrpcStatus& status) {
        std::lock_guard lock(mutex);
        result.status = status;
        done = true;
        ended.notify_all();
      };
      auto stream = client.open(path, std::move(handler), {timeout_ns ? Reactor::now_ns() + timeout_ns : 0, {}});
      stream->send(message);
      stream->finish();
      if (cancel) stream->cancel();
    });
    std::unique_lock lock(mutex);
    REQUIRE(ended.wait_for(lock, std::chrono::seconds(20), [&] { return done; }));
    return result;
  }
  Reactor reactor;
  GrpcClient client;
};

}  // namespace

TEST_CASE("messages of all sizes come back whole") {
  FakeServer server;
  Bed bed(server.path);
  for (size_t size : {size_t{0}, size_t{1}, size_t{70'000}, size_t{5'000'000}}) {
    Result result = bed.call("/echo", std::string(size, 'm'));
    CHECK(result.status.ok());
    REQUIRE(result.messages.size() == 1);
    CHECK(result.messages[0] == std::string(size, 'm'));
  }
  CHECK(bed.call("/twice", "again").messages == std::vector<std::string>{"again", "again"});
}

TEST_CASE("errors come with their code and their decoded sentence") {
  FakeServer server;
  Bed bed(server.path);
  Result result = bed.call("/missing", "");
  CHECK(result.status.code == GrpcCode::not_found);
  CHECK(result.status.message == "no such thing");
}

TEST_CASE("a call ends at its deadline and when it is cancelled, and the connection goes on") {
  FakeServer server;
  Bed bed(server.path);
  CHECK(bed.call("/hang", "", 20'000'000).status.code == GrpcCode::deadline_exceeded);
  CHECK(bed.call("/hang", "", 0, true).status.code == GrpcCode::cancelled);
  CHECK(bed.call("/echo", "x").status.ok());
}

TEST_CASE("a lost connection ends its calls, and the next call makes a new one") {
  FakeServer server;
  Bed bed(server.path);
  GrpcStatus lost = bed.call("/drop", "").status;
  CHECK(lost.code == GrpcCode::unavailable);
  CHECK(lost.lost_connection);
  CHECK(bed.call("/echo", "x").status.ok());
}

TEST_CASE("without a server calls end at once") {
  Bed bed("/tmp/lotse-no-such-socket");
  GrpcStatus status = bed.call("/echo", "").status;
  CHECK(status.code == GrpcCode::unavailable);
  CHECK_FALSE(status.lost_connection);
}

TEST_CASE("percent-encoding is undone") {
  CHECK(percent_decode("a%20b%C3%A9") == "a b\xc3\xa9");
  CHECK(percent_decode("100%") == "100%");
  CHECK(percent_decode("%zz") == "%zz");
}
