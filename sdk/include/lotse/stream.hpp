// SPDX-License-Identifier: Apache-2.0
//
// Producer: the plugin's side of a stream (abi/stream.h). Derive it, call send() while there is credit and end() or
// fail() once; it keeps the rules for you:
//   - what goes to the opener goes one after the other, never from within a call of the opener on this stream (then it
//     is handed to the host's loop), and nothing follows the end, which comes exactly once;
//   - credit is counted in bytes, both ways.
// Any of its functions may be called from any thread.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "lotse/abi/stream.h"
#include "lotse/error.hpp"
#include "lotse/host.hpp"
#include "lotse/msgpack.hpp"

namespace lotse::sdk {

class Producer : public std::enable_shared_from_this<Producer> {
 public:
  // Runs a function soon on another thread or later on this one; the host's loop by default.
  using Executor = std::function<void(std::function<void()>)>;
  explicit Producer(const Host& host) : executor_([host](std::function<void()> fn) { host.post(std::move(fn)); }) {}
  explicit Producer(Executor executor) : executor_(std::move(executor)) {}
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;
  virtual ~Producer() = default;

  // False: no credit (wait for on_credit), not opened yet, or ended; nothing was sent.
  bool send(uint32_t channel, std::string_view item) { return send_item(channel, bytes(item), item.size(), nullptr); }
  // An item that is more than bytes (a struct with pointers): `cost` is what it takes from the credit, `keep` holds all
  // that it points to. With keep == nullptr it is plain bytes, which are copied where they have to wait.
  bool send_item(uint32_t channel, lotse_bytes item, uint64_t cost, std::shared_ptr<const void> keep) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (!attached_ || ended_ || credit_ <= 0) return false;
    cost = cost > 0 ? cost : 1;
    credit_ -= int64_t(cost);
    if (!delivering_ && queue_.empty() && !within_opener()) {
      delivering_ = true;
      lock.unlock();
      sink_.on_item(sink_.ctx, channel, item);
      deliver();
      return true;
    }
    Event event{Event::kItem, channel, 0, item, {}, std::move(keep)};
    if (!event.keep) event.text = view(item);
    put(&lock, std::move(event));
    return true;
  }
  // What the opener has written has been worked off: it may write so many bytes more.
  void consumed(uint64_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (ended_ || count == 0) return;
    write_credit_ += int64_t(count);
    put(&lock, Event{Event::kWritable, 0, count, {}, {}, nullptr});
  }
  // `result` as the stream's function documents it (exec: {"exit_code"}).
  void end(std::string_view result = {}) { end_with(LOTSE_OK, result); }
  template <class M, std::enable_if_t<std::is_same_v<M, Msg>, int> = 0>  // not for what merely converts to a Msg
  void end(const M& result) {
    end_with(LOTSE_OK, result.encode());
  }
  void fail(int32_t code, std::string_view sentence) { end_with(code, sentence); }
  bool ended() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return ended_;
  }
  uint64_t credit() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return credit_ > 0 ? uint64_t(credit_) : 0;
  }

  // Used by the kinds' wrappers: ties the producer to its opener.
  void attach(const lotse_stream_sink& sink, lotse_stream* stream) {
    auto* held = new std::shared_ptr<Producer>(shared_from_this());
    *stream = lotse_stream{
        sizeof(lotse_stream), 0, held, &on_grant_c, &on_write_c, &on_half_close_c, &on_control_c, &on_cancel_c,
        &on_release_c};
    OpenerCall call(this);
    {
      std::unique_lock<std::mutex> lock(mutex_);
      sink_ = sink;
      attached_ = true;
      if (!queue_.empty()) wake(&lock);
    }
    guard("on_open", [this] { on_open(); });
  }

 protected:
  // What the opener does. Called from any thread, possibly two at once; what they throw ends the stream.
  virtual void on_open() {}
  virtual void on_credit() {}  // there is credit (again)
  // Takes the data (copies what it keeps) and calls consumed() later. False: this channel takes no input.
  virtual bool on_write(uint32_t channel, std::string_view data) {
    (void)channel, (void)data;
    return false;
  }
  virtual void on_half_close(uint32_t channel) { (void)channel; }
  virtual bool on_control(uint32_t kind, const Msg& payload) {
    (void)kind, (void)payload;
    return false;
  }
  // Ends soon. Whoever overrides this sees to it that end() or fail() follows.
  virtual void on_cancel() { fail(LOTSE_CANCELLED, "cancelled"); }

 private:
  struct Event {
    enum Kind { kItem, kWritable, kEnd } kind;
    uint32_t channel;
    uint64_t number;  // bytes that may be written, or the code of the end
    lotse_bytes item;
    std::string text;
    std::shared_ptr<const void> keep;
  };

  // While one of these lives, this thread is inside a call of the opener on `stream`.
  struct OpenerCall {
    explicit OpenerCall(const Producer* s) : stream(s), outer(innermost()) { innermost() = this; }
    ~OpenerCall() { innermost() = outer; }
    static OpenerCall*& innermost() {
      static thread_local OpenerCall* call = nullptr;
      return call;
    }
    const Producer* stream;
    OpenerCall* outer;
  };
  bool within_opener() const {
    for (OpenerCall* call = OpenerCall::innermost(); call != nullptr; call = call->outer) {
      if (call->stream == this) return true;
    }
    return false;
  }

  void end_with(int32_t code, std::string_view payload) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (ended_) return;
    ended_ = true;
    put(&lock, Event{Event::kEnd, 0, uint64_t(code), {}, std::string(payload), nullptr});
  }
  void put(std::unique_lock<std::mutex>* lock, Event event) {
    queue_.push_back(std::move(event));
    if (attached_) wake(lock);
  }
  // Sees to it that the queue is worked off: here, by who is at it already, or on the executor.
  void wake(std::unique_lock<std::mutex>* lock) {
    if (delivering_) return;
    delivering_ = true;
    bool here = !within_opener();
    lock->unlock();
    if (here)
      deliver();
    else
      executor_([self = shared_from_this()] { self->deliver(); });
  }
  // REQUIRES: this thread set delivering_; mutex_ not held.
  void deliver() {
    std::shared_ptr<Producer> self = shared_from_this();  // the opener may let go within on_end
    while (true) {
      std::unique_lock<std::mutex> lock(mutex_);
      if (queue_.empty()) {
        delivering_ = false;
        return;
      }
      Event event = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      lotse_bytes plain = bytes(event.text);
      if (event.kind == Event::kItem) sink_.on_item(sink_.ctx, event.channel, event.keep ? event.item : plain);
      if (event.kind == Event::kWritable && sink_.on_writable) sink_.on_writable(sink_.ctx, event.number);
      if (event.kind == Event::kEnd) {
        sink_.on_end(sink_.ctx, int32_t(event.number), plain);
        return;  // delivering_ stays set: nothing follows
      }
    }
  }
  template <class Fn>
  void guard(const char* where, const Fn& fn) noexcept {
    try {
      fn();
    } catch (...) {
      Caught c = caught(where);
      fail(c.code, c.sentence);
    }
  }

  static Producer* of(void* self) { return static_cast<std::shared_ptr<Producer>*>(self)->get(); }
  static void on_grant_c(void* self, uint64_t count) {
    Producer* p = of(self);
    OpenerCall call(p);
    {
      std::lock_guard<std::mutex> lock(p->mutex_);
      if (p->ended_ || count == 0) return;
      const uint64_t room = p->credit_ > 0 ? uint64_t(INT64_MAX - p->credit_) : uint64_t(INT64_MAX);
      p->credit_ += int64_t(count < room ? count : room);
    }
    p->guard("on_credit", [p] { p->on_credit(); });
  }
  static int32_t on_write_c(void* self, uint32_t channel, lotse_bytes data) {
    Producer* p = of(self);
    OpenerCall call(p);
    int64_t cost = data.size > 0 ? int64_t(data.size) : 1;
    {
      std::lock_guard<std::mutex> lock(p->mutex_);
      if (p->ended_) return LOTSE_CANCELLED;
      if (p->write_credit_ <= 0) return LOTSE_BUSY;
      p->write_credit_ -= cost;
    }
    bool taken = false;
    p->guard("on_write", [&] { taken = p->on_write(channel, view(data)); });
    if (taken) return LOTSE_OK;
    std::lock_guard<std::mutex> lock(p->mutex_);
    p->write_credit_ += cost;
    return p->ended_ ? LOTSE_CANCELLED : LOTSE_UNSUPPORTED;
  }
  static void on_half_close_c(void* self, uint32_t channel) {
    Producer* p = of(self);
    OpenerCall call(p);
    if (!p->ended()) p->guard("on_half_close", [&] { p->on_half_close(channel); });
  }
  static int32_t on_control_c(void* self, uint32_t kind, lotse_bytes payload) {
    Producer* p = of(self);
    OpenerCall call(p);
    if (p->ended()) return LOTSE_CANCELLED;
    bool taken = false;
    p->guard("on_control", [&] { taken = p->on_control(kind, payload.size ? Msg::parse(view(payload)) : Msg()); });
    return taken ? LOTSE_OK : LOTSE_UNSUPPORTED;
  }
  static void on_cancel_c(void* self) {
    Producer* p = of(self);
    OpenerCall call(p);
    if (!p->ended()) p->guard("on_cancel", [p] { p->on_cancel(); });
  }
  static void on_release_c(void* self) { delete static_cast<std::shared_ptr<Producer>*>(self); }

  Executor executor_;
  mutable std::mutex mutex_;
  lotse_stream_sink sink_{};
  std::deque<Event> queue_;
  int64_t credit_ = 0;  // may fall below 0 by the size of one item
  int64_t write_credit_ = LOTSE_STREAM_WINDOW;  // may fall below 0 by the size of one write
  bool attached_ = false, delivering_ = false, ended_ = false;
};

using ProducerPtr = std::shared_ptr<Producer>;

// What a function that opens a stream does: `make` returns the producer or throws.
template <class Fn>
int32_t open_stream(const char* where, const lotse_stream_sink* sink, lotse_stream* stream, lotse_error* error,
                    const Fn& make) noexcept {
  return guarded(where, error, [&] {
    ProducerPtr producer = make();
    if (!producer) throw Failure(LOTSE_UNSUPPORTED, std::string("this plugin offers no ") + where);
    producer->attach(*sink, stream);
  });
}

}  // namespace lotse::sdk
