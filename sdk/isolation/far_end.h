// FarEnd: the plugin's end. It makes the calls that frames ask for and sends what the instance answers.
//
// Threads: receive is called by one thread; what may block (calls and opens) goes to `work`. Answers come from any thread.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "sdk/isolation/frame.h"
#include "sdk/isolation/functions.h"

namespace lotse::isolation {

class FarEnd : public std::enable_shared_from_this<FarEnd> {
 public:
  struct Settings {
    std::function<void(const Frame&)> send;               // [any] takes it at once
    std::function<bool(std::function<void()>)> work;      // on a thread that may block; false: too many wait
    std::function<void(std::function<void()>)> on_loop;   // on the loop that the plugin uses
  };
  FarEnd(const lotse_instance* instance, const Functions& functions, Settings settings)
      : instance_(instance), functions_(functions), settings_(std::move(settings)) {}

  void receive(Frame frame);

 private:
  struct Call;
  struct Stream;
  void call(const Frame& frame);
  void open(const Frame& frame);
  void to_stream(const Frame& frame, Stream& stream);
  void reconfigure(const Frame& frame);

  const lotse_instance* instance_;
  const Functions& functions_;
  Settings settings_;
  std::mutex mutex_;
  std::map<uint32_t, std::weak_ptr<Call>> calls_;
  std::map<uint32_t, std::shared_ptr<Stream>> streams_;
};

}  // namespace lotse::isolation
