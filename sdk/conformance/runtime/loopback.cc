#include "sdk/conformance/runtime/loopback.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "sdk/isolation/far_end.h"
#include "sdk/isolation/table.h"

namespace lotse::conformance {
namespace {
using namespace isolation;

// Threads that work off what is put in, until it is closed; what is in by then is done.
class Workers {
 public:
  Workers(int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
  }
  ~Workers() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    for (auto& thread : threads_) thread.join();
  }
  void put(std::function<void()> fn) {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(fn));
    changed_.notify_one();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      auto fn = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      fn();
      lock.lock();
    }
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

// One direction: frames become bytes, and bytes frames again on a thread of their own.
class Wire {
 public:
  explicit Wire(std::function<void(Frame)> take) : take_(std::move(take)), worker_(1) {}
  void send(const Frame& frame) {
    std::string bytes;
    append_frame(&bytes, frame);
    worker_.put([this, bytes = std::move(bytes)] {
      reader_.feed(bytes);
      for (Frame f; reader_.next(&f);) take_(std::move(f));
    });
  }

 private:
  std::function<void(Frame)> take_;
  FrameReader reader_;
  Workers worker_;
};

}  // namespace

struct Loopback::Impl : Table {
  Workers calls{4};
  std::shared_ptr<NearEnd> near_end;
  std::shared_ptr<FarEnd> far_end;
  Wire to_near{[this](Frame f) { near_end->receive(std::move(f)); }};
  Wire to_far{[this](Frame f) { far_end->receive(std::move(f)); }};

  explicit Impl(const lotse_runtime* inner) : Table(*functions_of("runtime")) {
    NearEnd::Settings settings;
    settings.send = [this](const Frame& f) { to_far.send(f); };
    near_end = std::make_shared<NearEnd>(std::move(settings));
    auto work = [this](std::function<void()> fn) { return calls.put(std::move(fn)), true; };
    far_end = std::make_shared<FarEnd>(&inner->base, *functions_of("runtime"),
                                       FarEnd::Settings{[this](const Frame& f) { to_near.send(f); }, work, work});
  }
  std::shared_ptr<NearEnd> near(std::string*) override { return near_end; }
  void destroy() override {}
  int32_t reconfigure(lotse_bytes, lotse_error*) override { return LOTSE_UNSUPPORTED; }
};

Loopback::Loopback(const lotse_runtime* inner) : impl_(std::make_unique<Impl>(inner)) {}
Loopback::~Loopback() = default;
const lotse_runtime* Loopback::runtime() const {
  return reinterpret_cast<const lotse_runtime*>(impl_->instance());
}

}  // namespace lotse::conformance
