#include "plugins/runtime_containerd/spdy_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstring>

namespace lotse::runtime_containerd {
namespace {

constexpr size_t kResponseMax = 16 << 10;
constexpr size_t kControlMax = 64 << 10;
constexpr size_t kFrameHead = 8;
constexpr uint16_t kVersion = 0x8003;
constexpr uint8_t kFin = 1;
enum : uint16_t { kSynStream = 1, kSynReply = 2, kRstStream = 3, kPing = 6, kGoAway = 7 };

void put16(std::string& out, uint32_t v) {
  out += {static_cast<char>(v >> 8), static_cast<char>(v)};
}
void put24(std::string& out, uint32_t v) {
  out += {static_cast<char>(v >> 16), static_cast<char>(v >> 8), static_cast<char>(v)};
}
void put32(std::string& out, uint32_t v) {
  put16(out, v >> 16), put16(out, v & 0xffff);
}
uint32_t get32(std::string_view s, size_t at) {
  uint32_t v = 0;
  for (size_t i = 0; i < 4; i++) v = v << 8 | static_cast<uint8_t>(s[at + i]);
  return v;
}

// RFC 1951 3.2.4, and an empty block after it, which makes the reader hand out what it has.
std::string stored_block(std::string_view data) {
  std::string out(1, '\0');
  auto little = [&](uint32_t v) { out += {static_cast<char>(v), static_cast<char>(v >> 8)}; };
  little(static_cast<uint32_t>(data.size()));
  little(~static_cast<uint32_t>(data.size()) & 0xffff);
  out += data;
  out += std::string("\0\0\0\xff\xff", 5);
  return out;
}

}  // namespace

bool HttpTarget::parse(const std::string& url, HttpTarget* out) {
  constexpr std::string_view kScheme = "http://";
  if (url.compare(0, kScheme.size(), kScheme) != 0) return false;
  size_t slash = std::min(url.find('/', kScheme.size()), url.size());
  std::string authority = url.substr(kScheme.size(), slash - kScheme.size());
  size_t colon = authority.rfind(':');
  if (colon == std::string::npos) return false;
  out->host = authority.substr(0, colon);
  if (out->host.size() > 2 && out->host.front() == '[') out->host = out->host.substr(1, out->host.size() - 2);
  if (out->host.empty() || out->host == "0.0.0.0") out->host = "127.0.0.1";
  if (out->host == "::") out->host = "::1";
  const char* end = authority.data() + authority.size();
  auto parsed = std::from_chars(authority.data() + colon + 1, end, out->port);
  out->path = slash < url.size() ? url.substr(slash) : "/";
  return parsed.ec == std::errc() && parsed.ptr == end && out->path.find_first_of(" \r\n") == std::string::npos;
}

SpdyClient::SpdyClient(Reactor& reactor, Handler handler) : reactor_(reactor), handler_(std::move(handler)) {}
SpdyClient::~SpdyClient() {
  close();
}

void SpdyClient::close() {
  state_ = State::closed;
  if (fd_ < 0) return;
  reactor_.unwatch(watch_);
  ::close(fd_);
  fd_ = -1;
}

void SpdyClient::closed(const std::string& why) {
  if (state_ == State::closed) return;
  close();
  reactor_.post([told = handler_.on_closed, why] { told(why); });
}

void SpdyClient::open(const HttpTarget& target, const std::string& protocol, const std::vector<std::string>& types) {
  target_ = target;
  protocol_ = protocol;
  stream_types_ = types;
  ended_.assign(types.size(), false);
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  sockaddr* address = reinterpret_cast<sockaddr*>(&v4);
  socklen_t size = sizeof v4;
  v4.sin_family = AF_INET;
  v4.sin_port = htons(target.port);
  if (inet_pton(AF_INET, target.host.c_str(), &v4.sin_addr) != 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(target.port);
    if (inet_pton(AF_INET6, target.host.c_str(), &v6.sin6_addr) != 1) return closed("no such address: " + target.host);
    address = reinterpret_cast<sockaddr*>(&v6);
    size = sizeof v6;
  }
  fd_ = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0 || (connect(fd_, address, size) != 0 && errno != EINPROGRESS)) {
    return closed(std::string("cannot connect to the streaming server: ") + strerror(errno));
  }
  int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  watch_ = reactor_.watch(fd_, EPOLLIN | EPOLLOUT | EPOLLRDHUP, [this](uint32_t events) { ready(events); });
}

void SpdyClient::ready(uint32_t events) {
  if (state_ == State::connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return closed(std::string("cannot connect to the streaming server: ") + strerror(error));
    if ((events & EPOLLOUT) == 0) return;
    begin_upgrade();
  }
  if (events & EPOLLOUT) flush();
  if (state_ != State::closed && (events & ~EPOLLOUT)) read_socket();
}

void SpdyClient::begin_upgrade() {
  state_ = State::upgrading;
  outgoing_ += "POST " + target_.path + " HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n" +
               "X-Stream-Protocol-Version: " + protocol_ + "\r\nContent-Length: 0\r\n\r\n";
}

void SpdyClient::append_syn_stream(uint32_t id, const std::string& stream_type) {
  constexpr std::string_view kName = "streamtype";
  std::string headers;
  put32(headers, 1);
  put32(headers, kName.size());
  headers += kName;
  put32(headers, static_cast<uint32_t>(stream_type.size()));
  headers += stream_type;
  std::string block = headers_begun_ ? "" : std::string("\x78\x01", 2);
  headers_begun_ = true;
  block += stored_block(headers);
  put16(outgoing_, kVersion);
  put16(outgoing_, kSynStream);
  outgoing_ += '\0';
  put24(outgoing_, static_cast<uint32_t>(10 + block.size()));
  put32(outgoing_, id);
  put32(outgoing_, 0);
  put16(outgoing_, 0);
  outgoing_ += block;
}

void SpdyClient::append_data(uint32_t id, bool fin, std::string_view data) {
  std::string& out = state_ == State::open ? outgoing_ : early_;
  put32(out, id);
  out += static_cast<char>(fin ? kFin : 0);
  put24(out, static_cast<uint32_t>(data.size()));
  out += data;
}

void SpdyClient::send(size_t index, std::string_view data) {
  if (state_ == State::closed) return;
  while (!data.empty()) {
    std::string_view part = data.substr(0, 32 << 10);
    append_data(static_cast<uint32_t>(2 * index + 1), false, part);
    data.remove_prefix(part.size());
    payload_queued_ += part.size();
  }
  flush();
}

void SpdyClient::finish(size_t index) {
  if (state_ == State::closed) return;
  append_data(static_cast<uint32_t>(2 * index + 1), true, {});
  flush();
}

void SpdyClient::flush() {
  if (state_ != State::open && state_ != State::upgrading) return;
  while (outgoing_sent_ < outgoing_.size()) {
    ssize_t n = ::send(fd_, outgoing_.data() + outgoing_sent_, outgoing_.size() - outgoing_sent_, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) return closed(std::string("the streaming server is gone: ") + strerror(errno));
    outgoing_sent_ += static_cast<size_t>(n);
  }
  outgoing_.clear();
  outgoing_sent_ = 0;
  if (state_ == State::open && payload_queued_ > 0) handler_.on_sent(std::exchange(payload_queued_, 0));
}

void SpdyClient::read_socket() {
  std::array<char, 32 << 10> buffer;
  while (state_ == State::open || state_ == State::upgrading) {
    if (state_ == State::upgrading ? take_response() : take_frame()) continue;
    if (state_ == State::closed || (state_ == State::open && !handler_.has_room())) return;
    ssize_t n = recv(fd_, buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) return closed(std::string("the streaming server is gone: ") + strerror(errno));
    if (n == 0) return closed(state_ == State::open ? "" : "the streaming server refused the upgrade");
    incoming_.append(buffer.data(), static_cast<size_t>(n));
  }
}

bool SpdyClient::take_response() {
  size_t end = incoming_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (incoming_.size() > kResponseMax) closed("the streaming server answered at too great a length");
    return false;
  }
  std::string line = incoming_.substr(0, incoming_.find("\r\n"));
  if (line.find(" 101") == std::string::npos) {
    closed("the streaming server refused the upgrade: " + line + " " + incoming_.substr(end + 4));
    return false;
  }
  incoming_.erase(0, end + 4);
  state_ = State::open;
  for (size_t i = 0; i < stream_types_.size(); i++)
    append_syn_stream(static_cast<uint32_t>(2 * i + 1), stream_types_[i]);
  outgoing_ += std::exchange(early_, {});
  flush();
  return true;
}

bool SpdyClient::take_frame() {
  if (data_left_ > 0 || data_fin_) return take_data();
  if (incoming_.size() < kFrameHead) return false;
  uint32_t first = get32(incoming_, 0), second = get32(incoming_, 4);
  auto flags = static_cast<uint8_t>(second >> 24);
  size_t length = second & 0xffffff;
  if ((first & 0x80000000u) == 0) {
    incoming_.erase(0, kFrameHead);
    data_stream_ = first;
    data_left_ = length;
    data_fin_ = (flags & kFin) != 0;
    return true;
  }
  if (length > kControlMax) {
    closed("the streaming server sent a frame that is too long");
    return false;
  }
  if (incoming_.size() < kFrameHead + length) return false;
  std::string body = incoming_.substr(kFrameHead, length);
  incoming_.erase(0, kFrameHead + length);
  control_frame(static_cast<uint16_t>(first & 0xffff), body);
  if ((first & 0xffff) == kSynReply && (flags & kFin) && body.size() >= 4) {
    handler_.on_stream_end(index_of(get32(body, 0) & 0x7fffffff));
  }
  return true;
}

bool SpdyClient::take_data() {
  size_t index = index_of(data_stream_);
  bool known = data_stream_ % 2 == 1 && index < stream_types_.size();
  if (data_left_ > 0) {
    if (incoming_.empty() || !handler_.has_room()) return false;
    size_t n = std::min(data_left_, incoming_.size());
    std::string part = incoming_.substr(0, n);
    incoming_.erase(0, n);
    data_left_ -= n;
    if (known) handler_.on_data(index, part);
    return true;
  }
  data_fin_ = false;
  if (known && !ended_[index]) {
    ended_[index] = true;
    handler_.on_stream_end(index);
  }
  return true;
}

void SpdyClient::control_frame(uint16_t type, std::string_view body) {
  if (type == kPing && body.size() >= 4 && get32(body, 0) % 2 == 0) {
    put16(outgoing_, kVersion);
    put16(outgoing_, kPing);
    put32(outgoing_, 4);
    outgoing_ += body.substr(0, 4);
    flush();
  }
  if (type == kRstStream && body.size() >= 4) {
    size_t index = index_of(get32(body, 0) & 0x7fffffff);
    if (index < ended_.size() && !ended_[index]) {
      ended_[index] = true;
      handler_.on_stream_end(index);
    }
  }
  if (type == kGoAway) closed("");
}

}  // namespace lotse::runtime_containerd
