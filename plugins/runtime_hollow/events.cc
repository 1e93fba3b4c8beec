#include "plugins/runtime_hollow/events.h"

namespace lotse::runtime_hollow {
namespace {

constexpr size_t kWaitingMax = 4096;

}  // namespace

void EventStream::tell(const std::string& event) {
  {
    std::lock_guard lock(mutex_);
    if (waiting_.size() >= kWaitingMax) {
      waiting_.clear();
      waiting_.push_back(resync());
    } else {
      waiting_.push_back(event);
    }
  }
  work();
}

// send() may call the opener, who may hold locks of its own and call us: it is called without the lock. Whoever is at
// it already sends what others add, so that the order is kept.
void EventStream::work() {
  std::unique_lock lock(mutex_);
  if (sending_) return;
  sending_ = true;
  while (!waiting_.empty() && credit() > 0) {
    std::string event = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    send(LOTSE_STDIN, event);
    lock.lock();
  }
  sending_ = false;
}

std::shared_ptr<EventStream> Events::open() {
  auto stream = std::make_shared<EventStream>(host_);
  std::lock_guard lock(mutex_);
  std::erase_if(streams_, [](auto& old) { return old.expired(); });
  streams_.push_back(stream);
  return stream;
}

void Events::tell(const char* kind, const std::string& id, const std::string& sandbox, const char* event,
                  int64_t time) {
  std::vector<std::weak_ptr<EventStream>> streams;
  {
    std::lock_guard lock(mutex_);
    if (streams_.empty()) return;
    streams = streams_;
  }
  std::string item =
      sdk::Msg::map({{"kind", kind}, {"id", id}, {"sandbox", sandbox}, {"event", event}, {"time", time}}).encode();
  for (auto& weak : streams) {
    if (auto stream = weak.lock()) stream->tell(item);
  }
}

void Events::end() {
  std::vector<std::weak_ptr<EventStream>> streams;
  {
    std::lock_guard lock(mutex_);
    streams.swap(streams_);
  }
  for (auto& weak : streams) {
    if (auto stream = weak.lock()) stream->fail(LOTSE_UNAVAILABLE, "the runtime is being stopped");
  }
}

}  // namespace lotse::runtime_hollow
