// Compresses a scatter list as it is sent: 64 KiB in at a time, so that a large list neither blocks its loop for long nor
// is held twice. Comes out as the chunks of a chunked body, the last one included.
#pragma once
#include <memory>

#include "plugins/transport_rest/output.h"

namespace lotse::transport_rest {

// As upstream: bodies below this are sent as they are (they fit a few packets anyway).
constexpr uint64_t kGzipBytesMin = 128 * 1024;

// True if an Accept-Encoding header asks for gzip (and does not refuse it by q=0).
bool accepts_gzip(std::string_view accept_encoding);
std::unique_ptr<Source> make_gzip_source(Body body);

}  // namespace lotse::transport_rest
