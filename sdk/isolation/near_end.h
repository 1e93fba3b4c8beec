// NearEnd: the daemon's end of a plugin in another process. It turns calls into frames and frames into answers, keeps the write
// credit of streams, and knows when the other side has been silent for too long. It neither reads nor writes: `send` takes what
// goes out and whoever reads calls receive().
//
// Threads: calls come from any; receive and fail from one thread, on which all sinks and most answers are called.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "sdk/isolation/frame.h"
#include "sdk/isolation/functions.h"

namespace lotse::isolation {

class NearEnd : public std::enable_shared_from_this<NearEnd> {
 public:
  struct Settings {
    std::function<void(const Frame&)> send;        // [any] takes it at once
    std::function<void()> check_sooner;            // [any] next_check() has moved nearer; may be empty
    int64_t patience_ns = 10'000'000'000;          // beyond a deadline, and for an answer to a ping
  };
  using Done = std::function<void(int32_t code, std::string_view payload)>;  // the answer, or a sentence
  explicit NearEnd(Settings settings) : settings_(std::move(settings)) {}

  void call(uint32_t function, lotse_bytes request, const lotse_call* call);
  int32_t open(uint32_t function, lotse_bytes request, const lotse_stream_sink* sink, lotse_stream* stream,
               lotse_error* error);                                             // [worker] waits
  void ask(FrameType type, std::string payload, int64_t timeout_ns, Done done);  // kCreate, kReconfigure
  void destroy() { settings_.send({FrameType::kDestroy, 0, 0, 0, {}}); }

  // False: that is no frame which may come.
  bool receive(Frame frame);
  // The other side is gone: whatever waits for it, and what is asked from now on, ends with LOTSE_UNAVAILABLE.
  void fail(const std::string& sentence);

  // Asks whether the other side is still there, if that is due: while a stream is open it may have to speak up by itself.
  void beat(int64_t now);
  int64_t next_check() const;               // CLOCK_MONOTONIC; INT64_MAX: nothing is waited for
  std::string overdue(int64_t now) const;   // what has not come in time; empty: all is well

 private:
  struct Waiting {
    Done done;
    std::function<bool()> cancelled;
    int64_t due = 0;  // 0: whenever
    const char* what = "a call";
  };
  struct Stream;
  struct StreamCalls;

  // An id for what waits; nothing: the other side is gone.
  std::optional<uint32_t> add(Waiting waiting);
  void answer(uint32_t id, int32_t code, std::string_view payload);
  void send(const Frame& frame);
  int64_t next_ping() const;  // REQUIRES: mutex_
  std::string gone() const;

  Settings settings_;
  mutable std::mutex mutex_;
  bool failed_ = false;
  std::string why_;
  uint32_t last_id_ = 0;
  std::map<uint32_t, Waiting> waiting_;
  std::map<uint32_t, std::shared_ptr<Stream>> streams_;
  int64_t ping_due_ = 0, pinged_ = 0;
  bool ping_owed_ = false;  // something was sent after the last ping
};

inline constexpr int64_t kBeat = 30'000'000'000;  // between pings while nothing else happens

int64_t monotonic_now();

}  // namespace lotse::isolation
