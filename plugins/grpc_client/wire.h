// The bytes under a connection: a plain socket, or TLS on one. Non-blocking throughout.
#pragma once
#include <openssl/types.h>
#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <string>

namespace lotse::grpc_client {

// Where a server is, and who it must be.
struct GrpcTarget {
  std::string name = "the server";  // in sentences: "containerd at /run/x.sock"
  std::string authority = "localhost";
  sockaddr_storage address{};
  socklen_t address_size = 0;
  std::shared_ptr<SSL_CTX> tls;  // null: none
  std::string tls_name;          // the host name or address that the server's certificate must be for
};

// A unix socket. False: the path is too long.
bool unix_target(const std::string& path, GrpcTarget& target);

struct TlsFiles {
  std::string ca;         // empty: the system's
  std::string cert, key;  // empty: none of our own
};
// A context for clients that verify the server and speak HTTP/2. Null: `why` tells.
std::shared_ptr<SSL_CTX> tls_client_context(const TlsFiles& files, std::string* why);

enum class WireResult { ok, again, closed, failed };

class Wire {
 public:
  virtual ~Wire() = default;
  // Goes on with connecting and handshakes. ok: bytes can flow. Before that, none of ours have left.
  virtual WireResult establish(std::string* why) = 0;
  virtual WireResult read(uint8_t* data, size_t size, size_t* got, std::string* why) = 0;
  virtual WireResult write(const char* data, size_t size, size_t* sent, std::string* why) = 0;
  virtual int fd() const = 0;
};

// Begins to connect. Null: it failed at once.
std::unique_ptr<Wire> dial(const GrpcTarget& target, std::string* why);

}  // namespace lotse::grpc_client
