// The events streams of a hollow runtime: each gets what happens from its opening on, as it has credit.
#pragma once
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lotse/stream.hpp"

namespace lotse::runtime_hollow {

class EventStream : public sdk::Producer {
 public:
  explicit EventStream(const sdk::Host& host) : Producer(host) { waiting_.push_back(resync()); }
  void tell(const std::string& event);

 protected:
  void on_credit() override { work(); }

 private:
  static std::string resync() { return sdk::Msg::map({{"kind", "resync"}}).encode(); }
  void work();

  std::mutex mutex_;
  bool sending_ = false;
  std::deque<std::string> waiting_;  // at most kWaitingMax; what is more becomes one resync
};

class Events {
 public:
  explicit Events(const sdk::Host& host) : host_(host) {}
  std::shared_ptr<EventStream> open();
  void tell(const char* kind, const std::string& id, const std::string& sandbox, const char* event, int64_t time);
  void end();  // all of them

 private:
  sdk::Host host_;
  std::mutex mutex_;
  std::vector<std::weak_ptr<EventStream>> streams_;
};

}  // namespace lotse::runtime_hollow
