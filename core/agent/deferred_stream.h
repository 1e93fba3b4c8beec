// A stream that is handed out before what stands behind it is open: what the opener does meanwhile is kept and passed
// on. [any thread]
#pragma once
#include <deque>
#include <memory>
#include <mutex>

#include "core/base/stream.h"

namespace lotse::agent {

class DeferredStream : public Stream {
 public:
  class Core {
   public:
    explicit Core(SinkPtr sink) : sink_(std::move(sink)) {}
    // One of these, once. The stream behind reports to the same sink itself. fail: not from within a call of the
    // opener.
    void attach(StreamPtr stream);
    void fail(Status status);
    bool cancelled();

   private:
    friend class DeferredStream;
    struct Write { uint32_t channel; Bytes data; bool close; };
    struct Order { Control kind; Bytes payload; };
    std::shared_ptr<Stream> inner();
    std::mutex mutex_;
    SinkPtr sink_;
    std::shared_ptr<Stream> inner_;
    uint64_t granted_ = 0, written_ = 0;
    std::deque<Write> writes_;
    std::deque<Order> orders_;
    bool cancelled_ = false, failed_ = false;
  };

  static std::unique_ptr<DeferredStream> make(SinkPtr sink);
  ~DeferredStream() override;
  std::shared_ptr<Core> core() const { return core_; }
  void grant(uint64_t bytes) override;
  bool write(uint32_t channel, Bytes data) override;
  void half_close(uint32_t channel) override;
  bool control(Control kind, Bytes payload) override;
  void cancel() override;

 private:
  explicit DeferredStream(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  std::shared_ptr<Core> core_;
};

}  // namespace lotse::agent
