#include "core/agent/runtime.h"

namespace lotse::agent {

std::string_view call_name(Call call) {
  static constexpr std::string_view kNames[] = {"info",
                                                "sandbox_run",
                                                "sandbox_stop",
                                                "sandbox_remove",
                                                "sandbox_status",
                                                "sandbox_list",
                                                "container_create",
                                                "container_start",
                                                "container_stop",
                                                "container_remove",
                                                "container_status",
                                                "container_list",
                                                "container_update",
                                                "container_stats",
                                                "container_reopen_log",
                                                "exec_sync",
                                                "image_import",
                                                "image_status",
                                                "image_list",
                                                "image_remove",
                                                "image_fs"};
  return kNames[static_cast<size_t>(call)];
}

void call_on(Loop& loop, Runtime& runtime, Call call, MsgValue request, Duration timeout, Answer answer) {
  auto kept = std::make_shared<Answer>(std::move(answer));
  runtime.call(call, std::move(request), timeout, [&loop, kept](Result<MsgValue> result) {
    loop.post([kept, result = std::move(result)]() mutable { std::exchange(*kept, nullptr)(std::move(result)); });
  });
}

}  // namespace lotse::agent
