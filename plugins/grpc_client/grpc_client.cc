#include "plugins/grpc_client/grpc_client.h"

#include "plugins/container_engine/reactor.h"
#include "plugins/grpc_client/http2_connection.h"

namespace lotse::grpc_client {
namespace {

constexpr size_t kMessageMax = 64u << 20;
constexpr size_t kFrameHeader = 5;  // compressed flag, big-endian length

void append_frame(std::string& out, std::string_view message) {
  auto n = static_cast<uint32_t>(message.size());
  const char header[kFrameHeader] = {0, static_cast<char>(n >> 24), static_cast<char>(n >> 16),
                                     static_cast<char>(n >> 8), static_cast<char>(n)};
  out.append(header, kFrameHeader);
  out.append(message);
}

uint32_t frame_size(std::string_view frame) {
  auto at = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(frame[i])); };
  return at(1) << 24 | at(2) << 16 | at(3) << 8 | at(4);
}

}  // namespace

std::string percent_decode(std::string_view text) {
  auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
  };
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(digit(text[i + 1]) << 4 | digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

void GrpcStream::send(std::string_view message) {
  if (ended_ || finished_) return;
  append_frame(outgoing_, message);
  if (connection_ != nullptr) connection_->wake(*this);
}

void GrpcStream::finish() {
  if (ended_ || finished_) return;
  finished_ = true;
  if (connection_ != nullptr) connection_->wake(*this);
}

void GrpcStream::cancel() {
  if (ended_) return;
  auto keep = shared_from_this();
  if (connection_ != nullptr) connection_->reset(*this, NGHTTP2_CANCEL);
  end({GrpcCode::cancelled, "cancelled"});
}

void GrpcStream::end(GrpcStatus status) {
  if (ended_) return;
  ended_ = true;
  connection_ = nullptr;
  reactor_->timer_stop(deadline_timer_);
  GrpcHandler handler = std::move(handler_);
  handler_ = {};
  if (handler.on_end) handler.on_end(status);
}

void GrpcStream::received(std::string_view data) {
  incoming_.append(data);
  size_t start = 0;
  while (!ended_ && incoming_.size() - start >= kFrameHeader) {
    std::string_view rest = std::string_view(incoming_).substr(start);
    uint32_t size = frame_size(rest);
    if (rest[0] != 0 || size > kMessageMax) {
      auto keep = shared_from_this();
      if (connection_ != nullptr) connection_->reset(*this, NGHTTP2_CANCEL);
      end({rest[0] != 0 ? GrpcCode::internal : GrpcCode::resource_exhausted,
           "a message that is compressed or too large"});
      return;
    }
    if (rest.size() < kFrameHeader + size) break;
    if (handler_.on_message) {
      auto on_message = handler_.on_message;  // it may end the call
      on_message(rest.substr(kFrameHeader, size));
    }
    start += kFrameHeader + size;
  }
  if (start == incoming_.size()) {
    std::string().swap(incoming_);
  } else if (start > 0) {
    incoming_.erase(0, start);
  }
}

GrpcClient::GrpcClient(Reactor& reactor, GrpcTarget target) : reactor_(reactor), target_(std::move(target)) {}
GrpcClient::GrpcClient(Reactor& reactor, const std::string& socket_path, const std::string& name) : reactor_(reactor) {
  target_.name = name + " at " + socket_path;
  if (!unix_target(socket_path, target_)) unusable_ = "the path of its socket is too long";
}
GrpcClient::~GrpcClient() {
  close();
}

bool GrpcClient::connect(std::string* why) {
  if (connection_ && connection_->usable()) return true;
  if (connection_) disconnect("the connection to " + target_.name + " broke");
  std::string reason = unusable_;
  std::unique_ptr<Wire> wire = reason.empty() ? dial(target_, &reason) : nullptr;
  if (!wire) {
    *why = "cannot connect to " + target_.name + ": " + reason;
    return false;
  }
  connection_ =
      std::make_unique<Http2Connection>(reactor_, std::move(wire), target_, [this](const std::string& message) {
        if (connection_ && !connection_->usable()) disconnect(message);
      });
  return true;
}

void GrpcClient::set_address(const sockaddr_storage& address, socklen_t size) {
  target_.address = address;
  target_.address_size = size;
}

void GrpcClient::probe(int64_t timeout_ns) {
  if (connection_ && connection_->usable()) connection_->probe(timeout_ns);
}

std::shared_ptr<GrpcStream> GrpcClient::open(std::string_view path, GrpcHandler handler, GrpcOptions options) {
  auto stream = std::make_shared<GrpcStream>();
  stream->reactor_ = &reactor_;
  stream->peer_ = target_.name;
  stream->handler_ = std::move(handler);
  std::string why = "the client is closed";
  if (closed_ || !connect(&why) || !connection_->start(stream, path, options)) {
    reactor_.post([stream, why, closed = closed_] {
      stream->end({closed ? GrpcCode::cancelled : GrpcCode::unavailable, why});
    });
    return stream;
  }
  if (options.deadline_ns != 0) {
    std::weak_ptr<GrpcStream> weak = stream;
    stream->deadline_timer_ = reactor_.timer_at(options.deadline_ns, [weak] {
      auto late = weak.lock();
      if (!late || late->ended_) return;
      if (late->connection_ != nullptr) late->connection_->reset(*late, NGHTTP2_CANCEL);
      late->end({GrpcCode::deadline_exceeded, late->peer_ + " did not answer in time"});
    });
  }
  return stream;
}

void GrpcClient::disconnect(const std::string& why) {
  auto old = std::move(connection_);
  if (!old) return;
  if (on_lost) on_lost();  // first, so that what the ended calls lead to sees it
  old->fail_all({GrpcCode::unavailable, why, old->established()});
  // It may be in use further up the stack.
  reactor_.post([gone = std::shared_ptr<Http2Connection>(std::move(old))] {});
}

void GrpcClient::close() {
  closed_ = true;
  if (!connection_) return;
  auto old = std::move(connection_);
  old->fail_all({GrpcCode::cancelled, "the client is closed"});
  reactor_.post([gone = std::shared_ptr<Http2Connection>(std::move(old))] {});
}

}  // namespace lotse::grpc_client
