#include "plugins/transport_rest/host_stream.h"

#include <lotse/abi/stream.h>
#include <lotse/msgpack.hpp>

#include <deque>

namespace lotse::transport_rest {
namespace {

struct Event {
  enum Kind : uint8_t { kItem, kWritable, kEnd } kind;
  uint32_t channel;
  int32_t code;
  std::string bytes;
};

struct State : std::enable_shared_from_this<State> {
  Door door;
  StreamUser* user = nullptr;  // the connection's thread only
  lotse_stream stream{};
  bool opened = false, ended = false;
  std::mutex mutex;
  std::deque<Event> events;  // guarded by mutex
  bool scheduled = false;    // guarded by mutex

  void push(Event event) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      events.push_back(std::move(event));
      if (std::exchange(scheduled, true)) return;
    }
    door.executor->post([self = shared_from_this()] { self->drain(); });
  }

  void drain() {
    std::deque<Event> now;
    {
      std::lock_guard<std::mutex> lock(mutex);
      now.swap(events);
      scheduled = false;
    }
    for (Event& event : now) {
      if (event.kind == Event::kEnd) {
        ended = true;
        if (opened) stream.release(stream.self);
        if (user) std::exchange(user, nullptr)->on_end(event.code, std::move(event.bytes));
        return door.outstanding->remove();
      }
      if (!user) continue;
      if (event.kind == Event::kItem) user->on_item(event.channel, std::move(event.bytes));
      else user->on_writable();
    }
  }
};

State& state_of(void* ctx) { return **static_cast<std::shared_ptr<State>*>(ctx); }
std::string text_of(lotse_bytes bytes) { return {static_cast<const char*>(bytes.data), bytes.size}; }

void on_item(void* ctx, uint32_t channel, lotse_bytes item) { state_of(ctx).push({Event::kItem, channel, 0, text_of(item)}); }
void on_writable(void* ctx, uint64_t) { state_of(ctx).push({Event::kWritable, 0, 0, {}}); }
void on_end(void* ctx, int32_t code, lotse_bytes payload) {
  auto* held = static_cast<std::shared_ptr<State>*>(ctx);
  (*held)->push({Event::kEnd, 0, code, text_of(payload)});
  delete held;
}

class HostStream : public ByteStream {
 public:
  explicit HostStream(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~HostStream() override {
    state_->user = nullptr;
    if (usable()) state_->stream.cancel(state_->stream.self);
  }
  void grant(uint64_t bytes) override {
    if (usable()) state_->stream.grant(state_->stream.self, bytes);
  }
  bool write(uint32_t channel, std::string_view bytes) override {
    return !usable() || state_->stream.write(state_->stream.self, channel, {bytes.data(), bytes.size()}) != LOTSE_BUSY;
  }
  void half_close(uint32_t channel) override {
    if (usable()) state_->stream.half_close(state_->stream.self, channel);
  }
  void resize(uint16_t width, uint16_t height) override {
    if (!usable()) return;
    const std::string payload = sdk::Msg::map({{"width", width}, {"height", height}}).encode();
    state_->stream.control(state_->stream.self, LOTSE_CONTROL_RESIZE, {payload.data(), payload.size()});
  }

 private:
  bool usable() const { return state_->opened && !state_->ended; }
  std::shared_ptr<State> state_;
};

}  // namespace

std::unique_ptr<ByteStream> open_host_stream(const Door& door, uint64_t stream_id, StreamUser& user) {
  auto state = std::make_shared<State>();
  state->door = door;
  state->user = &user;
  door.outstanding->add();
  auto* held = new std::shared_ptr<State>(state);
  const lotse_stream_sink sink{sizeof sink, 0, held, on_item, on_writable, on_end};
  state->stream.size = sizeof state->stream;
  const int32_t code = door.api->open(door.api->self, stream_id, &sink, &state->stream);
  state->opened = code == LOTSE_OK;
  if (!state->opened) {
    delete held;
    state->push({Event::kEnd, 0, code, "the stream could not be opened"});
  }
  return std::make_unique<HostStream>(std::move(state));
}

}  // namespace lotse::transport_rest
