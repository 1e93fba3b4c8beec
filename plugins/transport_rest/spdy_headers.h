// The compressed header blocks of SPDY/3: one zlib stream a direction for the whole session, primed with the protocol's
// dictionary, so that blocks must be decoded in order and all of them.
#pragma once
#include <zlib.h>

#include <optional>
#include <string>
#include <string_view>

#include "plugins/transport_rest/http_response.h"

namespace lotse::transport_rest {

// What one block may unpack to, and what it may hold.
constexpr size_t kSpdyHeaderBytesMax = 64 * 1024;
constexpr size_t kSpdyHeadersMax = 128;

std::string_view spdy_dictionary();

class SpdyInflater {
 public:
  SpdyInflater();
  ~SpdyInflater();
  SpdyInflater(const SpdyInflater&) = delete;
  // Nothing if the block is broken; the session cannot go on then. A name with several values occurs several times.
  std::optional<Headers> read(std::string_view block);

 private:
  bool unpack(std::string_view block, std::string& out);
  z_stream z_{};
};

class SpdyDeflater {
 public:
  SpdyDeflater();
  ~SpdyDeflater();
  SpdyDeflater(const SpdyDeflater&) = delete;
  std::string write(const Headers& headers);

 private:
  z_stream z_{};
};

}  // namespace lotse::transport_rest
