// A stream of the host as the protocols see it: lotse_stream with its threads taken away. Everything happens on the
// connection's own thread; destroying a ByteStream cancels what still runs, and no event follows.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace lotse::transport_rest {

class StreamUser {
 public:
  virtual ~StreamUser() = default;
  virtual void on_item(uint32_t channel, std::string bytes) = 0;
  virtual void on_writable() = 0;
  // Once, and last. `code` is an enum lotse_code, the payload a result or a sentence.
  virtual void on_end(int32_t code, std::string payload) = 0;
};

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  virtual void grant(uint64_t bytes) = 0;
  // False: no credit, nothing was taken; on_writable follows. What nobody will ever read counts as taken.
  virtual bool write(uint32_t channel, std::string_view bytes) = 0;
  virtual void half_close(uint32_t channel) = 0;
  virtual void resize(uint16_t width, uint16_t height) = 0;
};

// Opens the stream of the request that is being served. May end at once with an error (by on_end, later).
using OpenStream = std::function<std::unique_ptr<ByteStream>(StreamUser& user)>;
// Port-forward: every connection is a request and a stream of its own.
using OpenPort = std::function<std::unique_ptr<ByteStream>(uint16_t port, StreamUser& user)>;

}  // namespace lotse::transport_rest
