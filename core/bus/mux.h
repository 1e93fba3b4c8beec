// Mux: the streams of one session, at one of its ends. It knows frames and no sockets: what arrives is given to
// receive(), what is to be sent is fetched with next() whenever the socket takes more, control before bulk and streams in turn.
//
// Both ends may open streams; the opener's parity keeps the ids apart (worker odd, master even). All limits are the
// receiver's: a peer that breaks them loses its session, never memory of ours.
//
// Threads: everything on the loop, but open() and the Stream it returns may be used from any thread, and so may the sink that an
// acceptor is given.
#pragma once
#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "core/base/loop.h"
#include "core/base/stream.h"
#include "core/bus/frame.h"

namespace lotse::bus {

inline constexpr size_t kStreamsMax = 4096;  // that one peer may have open

class Mux : public std::enable_shared_from_this<Mux> {
 public:
  // [loop] A stream that the peer opened: what produces it, or why there is none.
  using Acceptor = std::function<Result<StreamPtr>(const std::string& kind, Bytes arguments, SinkPtr sink)>;

  // ready is called on the loop when next() has something again.
  static std::shared_ptr<Mux> make(Loop& loop, bool odd, uint64_t epoch, Acceptor acceptor, std::function<void()> ready);

  // [any] The stream lives at once; on_end brings what went wrong.
  // `credit` is granted with the opening, which saves a frame.
  Result<StreamPtr> open(std::string kind, Bytes arguments, SinkPtr sink, uint64_t credit = 0);

  // [loop] An error means that the peer does not keep to the protocol: close the session.
  Status receive(const Frame& frame);
  // [loop] The next frame to send; false: none.
  bool next(std::string* frame);
  // [loop] Ends all streams with this status. Nothing is called afterwards.
  void close(const Status& why);
  // [loop] A frame of the session itself (ping, welcome); goes before all others.
  void send_control(Frame frame);

  uint64_t epoch() const { return epoch_; }
  size_t streams() const { return opened_.size() + accepted_.size(); }

 private:
  friend class MuxReach;
  friend class OpenedStream;
  friend class AcceptedSink;
  struct WriteCredit;  // shared with the Stream: how much may still be written
  struct Opened {
    SinkPtr sink;
    std::shared_ptr<WriteCredit> credit;
    std::map<uint32_t, std::string> partial;  // items that have not arrived whole
    int64_t granted = 0;                      // what the peer may still send
  };
  struct Accepted {
    StreamPtr stream;
    std::map<uint32_t, std::string> partial;
    int64_t writable = 0;                     // what the peer may still write
  };
  struct Queue { std::deque<Frame> frames; };  // of one stream, in order

  Mux(Loop& loop, bool odd, uint64_t epoch, Acceptor acceptor, std::function<void()> ready);
  void accept(const Frame& frame);
  Status receive_data(const Frame& frame);
  Status overdrawn(uint64_t id);
  Status put_together(const Frame& frame, std::map<uint32_t, std::string>& partial, Bytes* item, bool* whole);
  void enqueue(Frame frame);
  void enqueue_item(uint64_t stream, uint32_t channel, const Bytes& item);
  void end_accepted(uint64_t stream, const Status& status, const Bytes& result);
  void wake();

  Loop& loop_;
  const uint64_t epoch_;
  const bool odd_;
  Acceptor acceptor_;
  std::function<void()> ready_;
  std::atomic<uint64_t> next_id_;
  bool closed_ = false;
  Status closed_why_;
  std::map<uint64_t, Opened> opened_;
  std::map<uint64_t, Accepted> accepted_;
  size_t partial_bytes_ = 0;  // of all items that have not arrived whole
  std::deque<Frame> control_;
  std::map<uint64_t, Queue> queues_;
  std::deque<uint64_t> turns_;  // streams with something queued
};

}  // namespace lotse::bus
