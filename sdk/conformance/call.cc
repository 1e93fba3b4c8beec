#include "sdk/conformance/call.h"

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "lotse/call.hpp"

namespace lotse::conformance {
namespace {

constexpr auto kPatience = std::chrono::seconds(80);

struct Pending {
  std::mutex mutex;
  std::condition_variable ended;
  int times = 0;
  Answer answer;
};

}  // namespace

Answer answer_of(int32_t code, lotse_bytes payload) {
  Answer answer;
  answer.code = code;
  if (code != LOTSE_OK) {
    answer.text = sdk::view(payload);
  } else if (payload.size > 0) {
    answer.value = Msg::parse(sdk::view(payload));
  }
  return answer;
}

void require(bool holds, const std::string& otherwise) {
  if (!holds) throw Wrong{otherwise};
}

Answer call(void* self, lotse_message_fn function, std::string_view request, int64_t timeout_ns) {
  require(function != nullptr, "a function is missing from the table");
  auto pending = std::make_shared<Pending>();
  auto* held = new std::shared_ptr<Pending>(pending);
  lotse_call raw{sizeof raw,
                 0,
                 sdk::monotonic_ns() + (timeout_ns != 0 ? timeout_ns : 60'000'000'000),
                 held,
                 [](void* ctx, int32_t code, lotse_bytes payload) {
                   std::unique_ptr<std::shared_ptr<Pending>> mine(static_cast<std::shared_ptr<Pending>*>(ctx));
                   auto& p = **mine;
                   std::lock_guard lock(p.mutex);
                   p.times++;
                   p.answer = answer_of(code, payload);
                   p.ended.notify_all();
                 },
                 [](void*) -> int32_t { return 0; }};
  function(self, sdk::bytes(request), &raw);
  std::unique_lock lock(pending->mutex);
  require(pending->ended.wait_for(lock, kPatience, [&] { return pending->times > 0; }), "a call did not end");
  return pending->answer;
}

}  // namespace lotse::conformance
