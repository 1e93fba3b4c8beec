#include "plugins/transport_rest/port_stream.h"

#include "plugins/transport_rest/exchange.h"
#include "plugins/transport_rest/host_stream.h"

namespace lotse::transport_rest {
namespace {

class PortStream : public ByteStream, private ExchangeUser {
 public:
  PortStream(const Door& door, StreamUser& user) : door_(door), user_(user), exchange_(door, *this), alive_(std::make_shared<bool>(true)) {}
  ~PortStream() override { *alive_ = false; }

  void start(ApiRequest& request, const Peer& peer, uint16_t port) {
    std::optional<Answer> now;
    request.hand_over(peer, port, [&](const lotse_api_request& raw) { now = exchange_.submit(raw); });
    if (!now) return;
    // Later: the user does not know of this stream yet.
    auto answer = std::make_shared<Answer>(std::move(*now));
    door_.executor->post([this, alive = alive_, answer] {
      if (*alive) on_answer(std::move(*answer));
    });
  }
  void grant(uint64_t bytes) override {
    if (stream_) stream_->grant(bytes);
    else granted_ += bytes;
  }
  bool write(uint32_t channel, std::string_view bytes) override { return stream_ && stream_->write(channel, bytes); }
  void half_close(uint32_t channel) override {
    if (stream_) stream_->half_close(channel);
    else closed_ = channel;
  }
  void resize(uint16_t, uint16_t) override {}

 private:
  void on_answer(Answer answer) override {
    if (!answer.streams) {
      std::string sentence;
      for (size_t i = 0; i < answer.body.count(); ++i) sentence += answer.body.part(i);
      return user_.on_end(LOTSE_UNAVAILABLE, std::move(sentence));
    }
    exchange_.take_stream();
    stream_ = open_host_stream(door_, answer.stream_id, user_);
    stream_->grant(granted_);
    user_.on_writable();
    if (closed_) stream_->half_close(*closed_);
  }

  Door door_;
  StreamUser& user_;
  Exchange exchange_;
  std::shared_ptr<bool> alive_;
  std::unique_ptr<ByteStream> stream_;
  uint64_t granted_ = 0;
  std::optional<uint32_t> closed_;  // before the stream was there
};

}  // namespace

std::unique_ptr<ByteStream> open_port(const Door& door, const std::shared_ptr<ApiRequest>& request, const Peer& peer, uint16_t port,
                                      StreamUser& user) {
  auto stream = std::make_unique<PortStream>(door, user);
  stream->start(*request, peer, port);
  return stream;
}

}  // namespace lotse::transport_rest
