#include "core/api/in_flight.h"

namespace lotse::api {
namespace {

constexpr Duration kPatience = std::chrono::seconds(60);  // as upstream's --request-timeout
constexpr Duration kEvery = std::chrono::seconds(5);

}  // namespace

void InFlight::add(const CallPtr& call) {
  const SteadyTime until = call->request.deadline != SteadyTime{} ? call->request.deadline : clock_.steady() + kPatience;
  {
    std::lock_guard lock(mutex_);
    calls_[call.get()] = {until, call};
    if (closed_ || std::exchange(armed_, true)) return;
  }
  loop_.post([self = shared_from_this()] { self->look(); });
}

void InFlight::remove(const Call* call) {
  std::lock_guard lock(mutex_);
  calls_.erase(call);
}

void InFlight::look() {
  std::vector<CallPtr> late;
  {
    std::lock_guard lock(mutex_);
    timer_.reset();
    armed_ = false;
    if (closed_) return;
    const SteadyTime now = clock_.steady();
    for (const auto& [key, entry] : calls_) {
      if (entry.first <= now) {
        if (auto call = entry.second.lock()) late.push_back(std::move(call));
      }
    }
    std::erase_if(calls_, [&](const auto& c) { return c.second.first <= now; });
    if (!calls_.empty()) {
      armed_ = true;
      timer_ = loop_.after(kEvery, [weak = weak_from_this()] {
        if (auto self = weak.lock()) self->look();
      });
    }
  }
  for (const auto& call : late) {
    call->fail({Reason::kTimeout, "request did not complete within the allotted timeout; the change may still be made"});
  }
}

void InFlight::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  loop_.post([self = shared_from_this()] { self->timer_.reset(); });
}

}  // namespace lotse::api
