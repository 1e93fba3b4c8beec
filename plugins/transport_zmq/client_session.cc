#include "plugins/transport_zmq/client_session.h"

#include "plugins/transport_rest/host_stream.h"

namespace lotse::transport_zmq {

using transport_rest::Answer;
using transport_rest::ByteStream;

// A request, and the stream that may follow from it.
class ClientSession::Call : public transport_rest::ExchangeUser, public transport_rest::StreamUser {
 public:
  Call(ClientSession& owner, int64_t id) : id(id), owner_(owner), exchange_(owner.door_, *this) {}
  const int64_t id;

  void start(ClientMessage& message) {
    add_credit(message.map["grant"].as_int());
    std::optional<Answer> now;
    hand_over(message, owner_.address_, [&](const lotse_api_request& request) { now = exchange_.submit(request); });
    if (now) on_answer(std::move(*now));
  }
  void grant(int64_t bytes) {
    const uint64_t more = add_credit(bytes);
    if (stream_ && more > 0) stream_->grant(more);
  }
  void write(uint32_t channel, std::string_view bytes) {
    if (!input_) input_.emplace(channel);
    input_->push(bytes);
    if (input_->size() > kInputMax) {
      stream_.reset();
      return on_end(LOTSE_TOO_LARGE, "more was written than the window allows");
    }
    pass();
  }
  void half_close(uint32_t channel) {
    if (!input_) input_.emplace(channel);
    input_->close();
    pass();
  }
  void resize(int64_t width, int64_t height) {
    if (stream_) stream_->resize(static_cast<uint16_t>(width), static_cast<uint16_t>(height));
  }

 private:
  // Credit is what was granted and not yet used; the surplus over the limit is not taken.
  uint64_t add_credit(int64_t bytes) {
    const uint64_t more = bytes <= 0 ? 0 : std::min<uint64_t>(static_cast<uint64_t>(bytes), kGrantMax - std::min(kGrantMax, credit_));
    credit_ += more;
    return more;
  }
  void on_answer(Answer answer) override {
    std::string head = response_head(id, answer);
    const bool streams = answer.streams;
    const uint64_t stream_id = answer.stream_id;
    owner_.put({std::move(head), {}, std::move(answer.body)});
    if (!streams) return owner_.close(*this);
    exchange_.take_stream();
    stream_ = transport_rest::open_host_stream(owner_.door_, stream_id, *this);
    if (credit_ > 0) stream_->grant(credit_);
    pass();
  }
  void on_item(uint32_t channel, std::string bytes) override {
    credit_ -= std::min<uint64_t>(credit_, std::max<size_t>(bytes.size(), 1));
    owner_.put({item_head(id, channel), std::move(bytes), {}});
  }
  void on_writable() override { pass(); }
  void on_end(int32_t code, std::string payload) override {
    owner_.put({end_head(id, code, payload), {}, {}});
    owner_.close(*this);
  }
  void pass() {
    if (!stream_ || !input_) return;
    const size_t gone = input_->flush(*stream_);
    if (gone > 0) owner_.put({writable_head(id, gone), {}, {}});
  }

  ClientSession& owner_;
  transport_rest::Exchange exchange_;
  std::unique_ptr<ByteStream> stream_;
  std::optional<transport_rest::InputQueue> input_;
  uint64_t credit_ = 0;
};

ClientSession::ClientSession(transport_rest::Door door, std::string address, Send send)
    : door_(door), address_(std::move(address)), send_(std::move(send)) {}
ClientSession::~ClientSession() = default;

void ClientSession::receive(std::string_view head, std::string body) {
  std::optional<int64_t> id;
  try {
    ClientMessage message = read_message(head, std::move(body));
    id = message.id;
    const auto found = calls_.find(message.id);
    if (message.op == Op::kRequest) {
      if (found != calls_.end()) throw sdk::Failure(LOTSE_INVALID, "this id is in use");
      if (calls_.size() >= kCallsMax) throw sdk::Failure(LOTSE_BUSY, "too many requests and streams at the same time");
      auto& call = calls_[message.id] = std::make_unique<Call>(*this, message.id);
      try {
        call->start(message);
      } catch (...) {
        calls_.erase(message.id);
        throw;
      }
      return;
    }
    if (found == calls_.end()) return;  // it has ended meanwhile
    Call& call = *found->second;
    const auto channel = static_cast<uint32_t>(message.map["channel"].as_int());
    switch (message.op) {
      case Op::kGrant: return call.grant(message.map["bytes"].as_int());
      case Op::kWrite: return call.write(channel, message.body);
      case Op::kHalfClose: return call.half_close(channel);
      case Op::kResize: return call.resize(message.map["width"].as_int(), message.map["height"].as_int());
      default: calls_.erase(found);  // cancel: nothing more is said about it
    }
  } catch (const sdk::Failure& failure) {
    put({error_head(id, failure.what()), {}, {}});
  }
}

void ClientSession::put(Outgoing message) {
  if (gone_) return;
  waiting_.push_back(std::move(message));
  pump();
}

void ClientSession::pump() {
  while (!gone_ && !waiting_.empty() && with_zmq_ < kOutBytes) {
    Outgoing message = std::move(waiting_.front());
    waiting_.pop_front();
    with_zmq_ += message.size();
    if (send_(std::move(message))) continue;
    gone_ = true;
    waiting_.clear();
  }
}

void ClientSession::sent(size_t bytes) {
  with_zmq_ -= std::min(with_zmq_, bytes);
  pump();
}

void ClientSession::ping() {
  if (waiting_.empty() && with_zmq_ == 0) put({ping_head(), {}, {}});
}

void ClientSession::close(Call& call) {
  const auto found = calls_.find(call.id);
  closed_ = std::move(found->second);
  calls_.erase(found);
}

}  // namespace lotse::transport_zmq
