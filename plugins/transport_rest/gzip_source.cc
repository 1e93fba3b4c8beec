#include "plugins/transport_rest/gzip_source.h"

#include <zlib.h>

#include "plugins/transport_rest/http_request.h"
#include "plugins/transport_rest/http_response.h"

namespace lotse::transport_rest {
namespace {

constexpr size_t kStepBytes = 64 * 1024;

class GzipSource : public Source {
 public:
  explicit GzipSource(Body body) : body_(std::move(body)) {
    // Level 1 as upstream: the network is quick and the processor is not ours alone.
    ok_ = deflateInit2(&z_, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~GzipSource() override {
    if (ok_) deflateEnd(&z_);
  }

  bool more(std::string& out) override {
    if (!ok_) return false;  // out of memory: the body ends without its last chunk, which the client notices
    packed_.clear();
    for (size_t taken = 0; taken < kStepBytes && part_ < body_.count();) {
      const std::string_view rest = body_.part(part_).substr(at_);
      const std::string_view now = rest.substr(0, kStepBytes - taken);
      press(now, Z_NO_FLUSH);
      taken += now.size();
      at_ += now.size();
      if (at_ == body_.part(part_).size()) {
        ++part_;
        at_ = 0;
      }
    }
    const bool last = part_ >= body_.count();
    if (last) press({}, Z_FINISH);
    append_chunk(out, packed_);
    if (last) {
      out.append(kLastChunk);
      body_.reset();
    }
    return !last;
  }

 private:
  void press(std::string_view in, int flush) {
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    z_.avail_in = static_cast<uInt>(in.size());
    do {
      char buffer[16 * 1024];
      z_.next_out = reinterpret_cast<Bytef*>(buffer);
      z_.avail_out = sizeof buffer;
      deflate(&z_, flush);
      packed_.append(buffer, sizeof buffer - z_.avail_out);
    } while (z_.avail_out == 0);
  }

  Body body_;
  size_t part_ = 0, at_ = 0;
  std::string packed_;
  z_stream z_{};
  bool ok_ = false;
};

}  // namespace

bool accepts_gzip(std::string_view list) {
  std::string_view item;
  while (next_in_list(list, item)) {
    const size_t semicolon = item.find(';');
    std::string_view coding = item.substr(0, semicolon);
    while (coding.ends_with(' ')) coding.remove_suffix(1);
    if (!same_ignoring_case(coding, "gzip")) continue;
    if (semicolon == std::string_view::npos) return true;
    std::string_view weight = item.substr(semicolon + 1);
    while (weight.starts_with(' ')) weight.remove_prefix(1);
    return !(weight == "q=0" || (weight.starts_with("q=0.") && weight.find_first_not_of('0', 4) == std::string_view::npos));
  }
  return false;
}

std::unique_ptr<Source> make_gzip_source(Body body) { return std::make_unique<GzipSource>(std::move(body)); }

}  // namespace lotse::transport_rest
