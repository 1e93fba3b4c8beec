#include "core/base/frame_io.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/file.h"
#include "core/base/ids.h"

namespace lotse {
namespace {

Status gone() {
  return Status(Reason::kServiceUnavailable, "the other side has closed the connection");
}
Status socket_status(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK) return Status(Reason::kTimeout, "the other side does not move on");
  if (error == EPIPE || error == ECONNRESET) return gone();
  return errno_status("use", "the connection", error);
}

Status read_all(int fd, char* out, size_t size) {
  while (size > 0) {
    ssize_t got = ::recv(fd, out, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return socket_status(errno);
    if (got == 0) return gone();
    out += got;
    size -= size_t(got);
  }
  return {};
}

// The address of a socket by way of its directory's descriptor, whose name is short however deep the directory lies.
class Address {
 public:
  explicit Address(const std::string& path) {
    size_t slash = path.rfind('/');
    std::string dir = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    name_ = slash == std::string::npos ? path : path.substr(slash + 1);
    dir_ = ::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    error_ = errno;
  }
  ~Address() {
    if (dir_ >= 0) ::close(dir_);
  }
  int dir() const { return dir_; }
  int error() const { return error_; }
  const std::string& name() const { return name_; }
  sockaddr_un of(const std::string& name) const {
    sockaddr_un out{};
    out.sun_family = AF_UNIX;
    std::string path = fmt::format("/proc/self/fd/{}/{}", dir_, name);
    path.copy(out.sun_path, sizeof out.sun_path - 1);
    return out;
  }

 private:
  int dir_ = -1, error_ = 0;
  std::string name_;
};

}  // namespace

Status write_frame(int fd, const MsgValue& frame) {
  std::string bytes(4, '\0');
  frame.encode_to(&bytes);
  uint32_t size = uint32_t(bytes.size() - 4);
  for (int i = 0; i < 4; i++) bytes[size_t(i)] = char(size >> (24 - 8 * i));
  std::string_view rest = bytes;
  while (!rest.empty()) {
    ssize_t sent = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return socket_status(errno);
    rest.remove_prefix(size_t(sent));
  }
  return {};
}

std::optional<size_t> frame_length(std::string_view bytes) {
  if (bytes.size() < 4) return std::nullopt;
  size_t length = 0;
  for (int i = 0; i < 4; i++) length = length << 8 | uint8_t(bytes[size_t(i)]);
  return length;
}

Result<MsgValue> read_frame(int fd, size_t bytes_max) {
  char head[4];
  LOTSE_CHECK_OK(read_all(fd, head, sizeof head));
  size_t length = *frame_length({head, sizeof head});
  if (length > bytes_max)
    return Status(Reason::kRequestEntityTooLarge, fmt::format("a frame of {} bytes is too large", length));
  std::string body(length, '\0');
  LOTSE_CHECK_OK(read_all(fd, body.data(), length));
  return MsgValue::parse(body);
}

Result<int> connect_unix(const std::string& path) {
  Address address(path);
  if (address.dir() < 0) return errno_status("connect to", path, address.error());
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno_status("connect to", path, errno);
  sockaddr_un raw = address.of(address.name());
  if (::connect(fd, reinterpret_cast<sockaddr*>(&raw), sizeof raw) == 0) return fd;
  Status status = errno_status("connect to", path, errno);
  if (errno == ECONNREFUSED) status.reason = Reason::kServiceUnavailable;
  ::close(fd);
  return status;
}

Result<int> listen_unix(const std::string& path, int backlog) {
  Address address(path);
  if (address.dir() < 0) return errno_status("listen on", path, address.error());
  if (address.name().size() > 64)
    return Status(Reason::kBadRequest, fmt::format("listen on {}: the name is too long", path));
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno_status("listen on", path, errno);
  // It gets its mode under another name and then its own: nobody can connect in between, and one left behind is
  // replaced.
  std::string other = address.name() + "." + make_suffix(5);
  sockaddr_un raw = address.of(other);
  auto fail = [&](int error) {
    ::unlinkat(address.dir(), other.c_str(), 0);
    ::close(fd);
    return errno_status("listen on", path, error);
  };
  if (::bind(fd, reinterpret_cast<sockaddr*>(&raw), sizeof raw) != 0) return fail(errno);
  if (::fchmodat(address.dir(), other.c_str(), 0600, 0) != 0 || ::listen(fd, backlog) != 0) return fail(errno);
  if (::renameat(address.dir(), other.c_str(), address.dir(), address.name().c_str()) != 0) return fail(errno);
  return fd;
}

}  // namespace lotse
