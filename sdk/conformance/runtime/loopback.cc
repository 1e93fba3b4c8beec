#include "sdk/conformance/runtime/loopback.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "lotse/error.hpp"

namespace lotse::conformance {
namespace {

// The short functions, by index.
constexpr lotse_message_fn lotse_runtime::*kCalls[] = {&lotse_runtime::info,
                                                       &lotse_runtime::sandbox_run,
                                                       &lotse_runtime::sandbox_stop,
                                                       &lotse_runtime::sandbox_remove,
                                                       &lotse_runtime::sandbox_status,
                                                       &lotse_runtime::sandbox_list,
                                                       &lotse_runtime::container_create,
                                                       &lotse_runtime::container_start,
                                                       &lotse_runtime::container_stop,
                                                       &lotse_runtime::container_remove,
                                                       &lotse_runtime::container_status,
                                                       &lotse_runtime::container_list,
                                                       &lotse_runtime::container_update,
                                                       &lotse_runtime::container_stats,
                                                       &lotse_runtime::container_reopen_log,
                                                       &lotse_runtime::exec_sync,
                                                       &lotse_runtime::image_import,
                                                       &lotse_runtime::image_status,
                                                       &lotse_runtime::image_list,
                                                       &lotse_runtime::image_remove,
                                                       &lotse_runtime::image_fs};

}  // namespace

struct Loopback::Impl {
  struct Message {
    size_t function;
    std::string bytes;  // a copy that dies as soon as the callee has returned
    lotse_call call;
  };

  const lotse_runtime* inner;
  lotse_runtime outer{};
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Message> queue;
  bool stopping = false;
  std::vector<std::thread> threads;

  void send(size_t function, lotse_bytes request, const lotse_call* call) {
    std::lock_guard lock(mutex);
    queue.push_back({function, std::string(sdk::view(request)), *call});
    changed.notify_one();
  }

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      Message message = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      (inner->*kCalls[message.function])(inner->base.self, sdk::bytes(message.bytes), &message.call);
      message.bytes.assign(message.bytes.size(), '\xc1');  // who kept a pointer into it reads a byte that means nothing
      lock.lock();
    }
  }

  template <size_t Index>
  static void forward(void* self, lotse_bytes request, const lotse_call* call) {
    static_cast<Impl*>(self)->send(Index, request, call);
  }
  template <size_t... Indexes>
  void fill(std::index_sequence<Indexes...>) {
    ((outer.*kCalls[Indexes] = forward<Indexes>), ...);
  }
  template <lotse_message_stream_fn lotse_runtime::*Member>
  static int32_t open(void* self, lotse_bytes request, const lotse_stream_sink* sink, lotse_stream* stream,
                      lotse_error* error) {
    auto* impl = static_cast<Impl*>(self);
    std::string bytes(sdk::view(request));
    lotse_stream_sink copy = *sink;
    int32_t code = (impl->inner->*Member)(impl->inner->base.self, sdk::bytes(bytes), &copy, stream, error);
    bytes.assign(bytes.size(), '\xc1');
    copy = {};
    return code;
  }
};

Loopback::Loopback(const lotse_runtime* inner) : impl_(std::make_unique<Impl>()) {
  impl_->inner = inner;
  impl_->outer.base = {sizeof(lotse_runtime),
                       0,
                       impl_.get(),
                       [](void*) {},
                       [](void*, const char*) -> const void* { return nullptr; },
                       nullptr};
  impl_->fill(std::make_index_sequence<std::size(kCalls)>());
  impl_->outer.exec = Impl::open<&lotse_runtime::exec>;
  impl_->outer.attach = Impl::open<&lotse_runtime::attach>;
  impl_->outer.port_forward = Impl::open<&lotse_runtime::port_forward>;
  impl_->outer.events = Impl::open<&lotse_runtime::events>;
  impl_->outer.image_pull = Impl::open<&lotse_runtime::image_pull>;
  for (int i = 0; i < 2; i++) impl_->threads.emplace_back([impl = impl_.get()] { impl->run(); });
}

Loopback::~Loopback() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    impl_->changed.notify_all();
  }
  for (auto& thread : impl_->threads) thread.join();
}

const lotse_runtime* Loopback::runtime() const {
  return &impl_->outer;
}

}  // namespace lotse::conformance
