#include "plugins/grpc_client/http2_connection.h"

#include <charconv>

namespace lotse::grpc_client {
namespace {

constexpr int32_t kWindow = 4 << 20;
constexpr size_t kSendBuffer = 256 << 10;
constexpr size_t kMetadataMax = 16 << 10;

std::string_view view(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

nghttp2_nv header(std::string_view name, std::string_view value) {
  auto bytes = [](std::string_view s) { return reinterpret_cast<uint8_t*>(const_cast<char*>(s.data())); };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// "25m" is 25 ms. At most eight digits are allowed.
std::string grpc_timeout(int64_t left_ns) {
  if (left_ns <= 0) return "1n";
  int64_t us = left_ns / 1000 + 1;
  if (us <= 99'999'999) return std::to_string(us) + "u";
  int64_t ms = us / 1000 + 1;
  if (ms <= 99'999'999) return std::to_string(ms) + "m";
  return std::to_string(std::min<int64_t>(ms / 1000 + 1, 99'999'999)) + "S";
}

GrpcCode code_of_reset(uint32_t error) {
  switch (error) {
    case NGHTTP2_REFUSED_STREAM:
      return GrpcCode::unavailable;
    case NGHTTP2_CANCEL:
      return GrpcCode::cancelled;
    case NGHTTP2_ENHANCE_YOUR_CALM:
      return GrpcCode::resource_exhausted;
    default:
      return GrpcCode::internal;
  }
}

}  // namespace

struct Http2Callbacks {
  static Http2Connection& connection(void* user) { return *static_cast<Http2Connection*>(user); }

  static GrpcStream* find(Http2Connection& c, int32_t id) {
    auto it = c.streams_.find(id);
    return it == c.streams_.end() ? nullptr : it->second.get();
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                       const uint8_t* value, size_t value_size, uint8_t, void* user) {
    GrpcStream* stream = find(connection(user), frame->hd.stream_id);
    if (stream == nullptr) return 0;
    std::string_view key = view(name, name_size), text = view(value, value_size);
    auto number = [&](int& out) { std::from_chars(text.data(), text.data() + text.size(), out); };
    if (key == ":status") number(stream->http_status_);
    if (key == "grpc-status") number(stream->grpc_code_);
    if (key == "grpc-message") stream->grpc_message_ = percent_decode(text.substr(0, kMetadataMax));
    return 0;
  }

  static int on_data(nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, size_t size, void* user) {
    auto& c = connection(user);
    auto it = c.streams_.find(id);
    if (it == c.streams_.end()) return 0;
    std::shared_ptr<GrpcStream> keep = it->second;
    keep->received(view(data, size));
    return 0;
  }

  static int on_close(nghttp2_session*, int32_t id, uint32_t error, void* user) {
    connection(user).stream_closed(id, error);
    return 0;
  }

  static ssize_t read_data(nghttp2_session*, int32_t id, uint8_t* out, size_t room, uint32_t* flags,
                           nghttp2_data_source*, void* user) {
    GrpcStream* stream = find(connection(user), id);
    if (stream == nullptr) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      return 0;
    }
    size_t n = std::min(room, stream->outgoing_.size() - stream->outgoing_sent_);
    memcpy(out, stream->outgoing_.data() + stream->outgoing_sent_, n);
    stream->outgoing_sent_ += n;
    if (stream->outgoing_sent_ == stream->outgoing_.size()) {
      std::string().swap(stream->outgoing_);
      stream->outgoing_sent_ = 0;
      if (stream->finished_) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
      } else if (n == 0) {
        stream->deferred_ = true;
        return NGHTTP2_ERR_DEFERRED;
      }
    }
    return static_cast<ssize_t>(n);
  }
};

Http2Connection::Http2Connection(Reactor& reactor, std::unique_ptr<Wire> wire, const GrpcTarget& target,
                                 std::function<void(std::string)> on_broken)
    : reactor_(reactor),
      wire_(std::move(wire)),
      peer_(target.name),
      authority_(target.authority),
      secure_(target.tls != nullptr),
      on_broken_(std::move(on_broken)) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Http2Callbacks::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Http2Callbacks::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Http2Callbacks::on_close);
  nghttp2_session_client_new(&session_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindow}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 2);
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 2 * kWindow);
  watch_ = reactor_.watch(wire_->fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP, [this](uint32_t events) { ready(events); });
}

Http2Connection::~Http2Connection() {
  reactor_.unwatch(watch_);
  reactor_.timer_stop(probe_timer_);
  nghttp2_session_del(session_);
}

bool Http2Connection::start(const std::shared_ptr<GrpcStream>& stream, std::string_view path,
                            const GrpcOptions& options) {
  std::string timeout;
  std::vector<nghttp2_nv> headers = {
      header(":method", "POST"),     header(":scheme", secure_ ? "https" : "http"),
      header(":path", path),         header(":authority", authority_),
      header("te", "trailers"),      header("content-type", "application/grpc"),
      header("user-agent", "lotse"),
  };
  if (options.deadline_ns != 0) {
    timeout = grpc_timeout(options.deadline_ns - Reactor::now_ns());
    headers.push_back(header("grpc-timeout", timeout));
  }
  for (auto& [key, value] : options.metadata) headers.push_back(header(key, value));
  nghttp2_data_provider provider{};
  provider.read_callback = Http2Callbacks::read_data;
  int32_t id = nghttp2_submit_request(session_, nullptr, headers.data(), headers.size(), &provider, nullptr);
  if (id < 0) return false;
  stream->id_ = id;
  stream->connection_ = this;
  streams_.emplace(id, stream);
  return true;
}

void Http2Connection::wake(GrpcStream& stream) {
  if (stream.deferred_) {
    stream.deferred_ = false;
    nghttp2_session_resume_data(session_, stream.id_);
  }
  flush();
}

void Http2Connection::reset(GrpcStream& stream, uint32_t error) {
  if (streams_.erase(stream.id_) == 0) return;
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, error);
  flush();
}

void Http2Connection::fail_all(const GrpcStatus& status) {
  auto streams = std::move(streams_);
  streams_.clear();
  for (auto& [id, stream] : streams) stream->end(status);
}

void Http2Connection::probe(int64_t timeout_ns) {
  if (probe_timer_ != 0 || broken_) return;
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  flush();
  probe_timer_ = reactor_.timer(timeout_ns, [this, seen = received_] {
    probe_timer_ = 0;
    if (received_ == seen) broke(peer_ + " gives no sign of life");
  });
}

void Http2Connection::ready(uint32_t events) {
  if (!established_) {
    std::string why;
    WireResult result = wire_->establish(&why);
    if (result == WireResult::again) return;
    if (result != WireResult::ok) {
      return broke("cannot connect to " + peer_ + (why.empty() ? std::string() : ": " + why));
    }
    established_ = true;
    events |= EPOLLIN;  // what came with the handshake is inside the wire already
  }
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) read_socket();
  if (!broken_) flush();
}

void Http2Connection::read_socket() {
  std::array<uint8_t, 64 << 10> buffer;
  while (!broken_) {
    size_t n = 0;
    std::string why;
    WireResult result = wire_->read(buffer.data(), buffer.size(), &n, &why);
    if (result == WireResult::again) return;
    if (result != WireResult::ok) {
      return broke(peer_ + (why.empty() ? " closed the connection" : ": the connection broke: " + why));
    }
    ++received_;
    receiving_ = true;
    ssize_t used = nghttp2_session_mem_recv(session_, buffer.data(), n);
    receiving_ = false;
    if (used < 0) return broke(std::string("HTTP/2: ") + nghttp2_strerror(static_cast<int>(used)));
    if (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0) {
      return broke(peer_ + " ended the HTTP/2 session");
    }
  }
}

void Http2Connection::flush() {
  if (receiving_ || broken_ || !established_) return;  // ready() flushes once that is over
  for (;;) {
    while (outgoing_.size() - outgoing_sent_ < kSendBuffer) {
      const uint8_t* data = nullptr;
      ssize_t n = nghttp2_session_mem_send(session_, &data);
      if (n < 0) return broke(std::string("HTTP/2: ") + nghttp2_strerror(static_cast<int>(n)));
      if (n == 0) break;
      outgoing_.append(reinterpret_cast<const char*>(data), static_cast<size_t>(n));
    }
    if (outgoing_sent_ == outgoing_.size()) break;
    size_t n = 0;
    std::string why;
    WireResult result = wire_->write(outgoing_.data() + outgoing_sent_, outgoing_.size() - outgoing_sent_, &n, &why);
    if (result == WireResult::again) return;
    if (result != WireResult::ok) return broke("cannot send to " + peer_ + ": " + why);
    outgoing_sent_ += n;
    if (outgoing_sent_ == outgoing_.size()) {
      outgoing_.clear();
      outgoing_sent_ = 0;
      if (outgoing_.capacity() > kSendBuffer) outgoing_.shrink_to_fit();
    }
  }
}

// The owner destroys this connection, but not while it is in use further up the stack.
void Http2Connection::broke(std::string why) {
  if (broken_) return;
  broken_ = true;
  reactor_.unwatch(watch_);
  watch_ = 0;
  reactor_.post([report = on_broken_, why = std::move(why)] { report(why); });
}

void Http2Connection::stream_closed(int32_t id, uint32_t error) {
  auto it = streams_.find(id);
  if (it == streams_.end()) return;
  std::shared_ptr<GrpcStream> stream = std::move(it->second);
  streams_.erase(it);
  GrpcStatus status;
  if (stream->grpc_code_ >= 0) {
    status = {static_cast<GrpcCode>(stream->grpc_code_), std::move(stream->grpc_message_)};
  } else if (error != NGHTTP2_NO_ERROR) {
    status = {code_of_reset(error), std::string("the call was reset: ") + nghttp2_http2_strerror(error)};
  } else {
    status = {GrpcCode::unknown, "answered with HTTP status " + std::to_string(stream->http_status_)};
  }
  stream->connection_ = nullptr;
  stream->end(std::move(status));
}

}  // namespace lotse::grpc_client
