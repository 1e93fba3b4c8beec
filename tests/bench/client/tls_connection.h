// One HTTP/1.1 connection over TLS to lotsed, asking one thing after the other: cheap enough that it is not what is
// measured.
#pragma once

#include <openssl/ssl.h>

#include <string>
#include <string_view>

namespace lotse::bench {

struct Server {
  std::string host;
  int port = 0;
  std::string credentials;  // a directory with ca.crt, client.crt and client.key
};

class TlsConnection {
 public:
  // Throws std::runtime_error, as everything here does.
  explicit TlsConnection(const Server& server);
  ~TlsConnection();
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  struct Answer {
    int status = 0;
    std::string body;
    size_t bytes = 0;  // of the body, also when it was not kept
  };
  Answer ask(std::string_view method, std::string_view path, std::string_view body, bool keep_body = true);

  // A watch: what arrives is handed on line by line until `line` returns false.
  template <class Line>
  void watch(std::string_view path, Line line) {
    send("GET", path, "");
    read_head();
    std::string text;
    while (chunk(text)) {
      size_t from = 0;
      for (size_t end; (end = text.find('\n', from)) != std::string::npos; from = end + 1) {
        if (!line(std::string_view(text).substr(from, end - from))) return;
      }
      text.erase(0, from);
    }
  }

 private:
  void send(std::string_view method, std::string_view path, std::string_view body);
  void read_head();
  void fill();                   // reads more into buffer_
  bool chunk(std::string& out);  // appends the next chunk; false at the end
  void take(size_t size, std::string* out);
  std::string line();

  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  int fd_ = -1;
  std::string host_;
  std::string buffer_;
  size_t at_ = 0;  // what of buffer_ has been used
  int status_ = 0;
  bool chunked_ = false;
  size_t length_ = 0;
};

}  // namespace lotse::bench
