#include <pthread.h>

#include <list>

#include "core/base/loop.h"

namespace lotse {
namespace {
constexpr auto kIdle = std::chrono::seconds(10);
}

struct WorkerPool::Impl {
  std::string name;
  size_t threads_max, queue_max;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> queue;
  std::list<std::thread> threads;   // running
  std::list<std::thread> finished;  // to be joined
  size_t idle = 0;
  bool ending = false;

  // REQUIRES: `self` is in threads, mutex not held.
  void work(std::list<std::thread>::iterator self) {
    std::unique_lock lock(mutex);
    while (true) {
      if (queue.empty() && !ending) {
        idle++;
        bool woken = wake.wait_for(lock, kIdle, [&] { return ending || !queue.empty(); });
        idle--;
        if (!woken) break;
      }
      if (queue.empty()) break;  // ending
      auto fn = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      fn();
      fn = nullptr;
      lock.lock();
    }
    finished.splice(finished.end(), threads, self);
  }

  // REQUIRES: mutex held.
  void start_thread() {
    auto self = threads.emplace(threads.end());
    *self = std::thread([this, self] {
      pthread_setname_np(pthread_self(), name.c_str());
      work(self);
    });
  }
};

WorkerPool::WorkerPool(std::string name, size_t threads_max, size_t queue_max) : impl_(std::make_shared<Impl>()) {
  impl_->name = name.substr(0, 15);
  impl_->threads_max = std::max<size_t>(1, threads_max);
  impl_->queue_max = queue_max;
}

WorkerPool::~WorkerPool() {
  std::unique_lock lock(impl_->mutex);
  impl_->ending = true;
  impl_->wake.notify_all();
  while (!impl_->threads.empty() || !impl_->finished.empty()) {
    auto& list = impl_->finished.empty() ? impl_->threads : impl_->finished;
    std::thread thread = std::move(list.front());
    if (&list == &impl_->finished) list.pop_front();
    lock.unlock();
    if (thread.joinable()) thread.join();
    lock.lock();
  }
}

bool WorkerPool::submit(std::function<void()> fn) {
  std::list<std::thread> done;
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->ending || impl_->queue.size() >= impl_->queue_max) return false;
    done.swap(impl_->finished);
    impl_->queue.push_back(std::move(fn));
    if (impl_->queue.size() > impl_->idle && impl_->threads.size() < impl_->threads_max) impl_->start_thread();
  }
  impl_->wake.notify_one();  // not under the lock, which the one who wakes would only wait for
  for (std::thread& thread : done) thread.join();
  return true;
}

}  // namespace lotse
