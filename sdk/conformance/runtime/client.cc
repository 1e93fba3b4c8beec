#include "sdk/conformance/runtime/client.h"

#include <chrono>
#include <deque>
#include <map>

#include "lotse/call.hpp"

namespace lotse::conformance {
namespace {

constexpr auto kPatience = std::chrono::seconds(40);

}  // namespace

struct Stream::State {
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::map<uint32_t, std::string> output;
  std::deque<std::string> items;
  uint64_t writable = 0;
  bool inside = false;
  std::string broken_rule;
  bool ended = false;
  Answer end;

  template <class Fn>
  static void on(void* ctx, const char* what, const Fn& fn) {
    auto* state = static_cast<State*>(ctx);
    std::lock_guard lock(state->mutex);
    if (state->ended) state->broken_rule = std::string(what) + " came after on_end";
    fn(*state);
    state->changed.notify_all();
  }
};

Stream::Stream(const lotse_runtime* runtime, lotse_message_stream_fn function, const Msg& request)
    : state_(std::make_shared<State>()) {
  sink_ = {sizeof sink_,
           0,
           state_.get(),
           [](void* ctx, uint32_t channel, lotse_bytes item) {
             State::on(ctx, "on_item", [&](State& s) {
               s.output[channel] += sdk::view(item);
               if (channel == LOTSE_STDIN) s.items.emplace_back(sdk::view(item));
             });
           },
           [](void* ctx, uint64_t bytes) { State::on(ctx, "on_writable", [&](State& s) { s.writable += bytes; }); },
           [](void* ctx, int32_t code, lotse_bytes payload) {
             State::on(ctx, "on_end", [&](State& s) {
               s.end = answer_of(code, payload);
               s.ended = true;
             });
           }};
  state_->writable = LOTSE_STREAM_WINDOW;
  lotse_error error{sizeof error, 0, ""};
  std::string bytes = request.encode();
  opened_ = function(runtime->base.self, sdk::bytes(bytes), &sink_, &stream_, &error);
  if (opened_ != LOTSE_OK) refusal_ = error.message;
}

Stream::~Stream() {
  if (opened_ != LOTSE_OK) return;
  if (!ended()) {
    cancel();
    std::unique_lock lock(state_->mutex);
    state_->changed.wait_for(lock, kPatience, [&] { return state_->ended; });
  }
  stream_.release(stream_.self);
}

bool Stream::ended() const {
  std::lock_guard lock(state_->mutex);
  return state_->ended;
}

int32_t Stream::write(std::string_view data, uint32_t channel) {
  return stream_.write(stream_.self, channel, sdk::bytes(data));
}

void Stream::write_all(std::string_view data) {
  while (!data.empty()) {
    std::string_view part = data.substr(0, 16 << 10);
    {
      std::unique_lock lock(state_->mutex);
      require(
          state_->changed.wait_for(lock, kPatience, [&] { return state_->writable >= part.size() || state_->ended; }),
          "the stream gives no credit for writing");
      require(!state_->ended, "the stream ended while it was written to: " + state_->end.text);
      state_->writable -= part.size();
    }
    int32_t code = write(part);
    require(code == LOTSE_OK, "a write within the credit was refused with code " + std::to_string(code));
    data.remove_prefix(part.size());
  }
}

int32_t Stream::control(uint32_t kind, const Msg& payload) {
  std::string bytes = payload.encode();
  return stream_.control(stream_.self, kind, sdk::bytes(bytes));
}

Answer Stream::end() {
  require(opened_ == LOTSE_OK, "the stream was not opened: " + refusal_);
  std::unique_lock lock(state_->mutex);
  require(state_->changed.wait_for(lock, kPatience, [&] { return state_->ended; }), "the stream did not end");
  require(state_->broken_rule.empty(), state_->broken_rule);
  return state_->end;
}

std::string Stream::output(uint32_t channel) {
  std::lock_guard lock(state_->mutex);
  return state_->output[channel];
}

void Stream::wait_output(uint32_t channel, std::string_view text) {
  require(opened_ == LOTSE_OK, "the stream was not opened: " + refusal_);
  std::unique_lock lock(state_->mutex);
  bool came = state_->changed.wait_for(
      lock, kPatience, [&] { return state_->output[channel].find(text) != std::string::npos || state_->ended; });
  require(came && state_->output[channel].find(text) != std::string::npos,
          "\"" + std::string(text) + "\" did not come; what came is \"" + state_->output[channel] + "\" " +
              state_->end.text);
}

Msg Stream::next_item() {
  require(opened_ == LOTSE_OK, "the stream was not opened: " + refusal_);
  std::unique_lock lock(state_->mutex);
  require(state_->changed.wait_for(lock, kPatience, [&] { return !state_->items.empty() || state_->ended; }),
          "no item came");
  require(!state_->items.empty(), "the stream ended: " + state_->end.text);
  std::string item = std::move(state_->items.front());
  state_->items.pop_front();
  return Msg::parse(item);
}

}  // namespace lotse::conformance
