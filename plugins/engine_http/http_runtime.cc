#include "plugins/engine_http/http_runtime.h"

#include "plugins/container_engine/port_forward.h"
#include "plugins/engine_http/http_session.h"
#include "plugins/engine_http/image_load.h"
#include "plugins/engine_http/image_pull.h"
#include "plugins/engine_http/runtime_steps.h"

namespace lotse::engine_http {
namespace {

constexpr int64_t kImportTimeoutNs = int64_t{3600} * 1'000'000'000;

MakeExec maker(HttpEngine& engine, bool attach) {
  return [&engine, attach](ExecRequest request, std::weak_ptr<ExecTaker> taker) -> std::shared_ptr<ExecSession> {
    return std::make_shared<HttpSession>(engine, std::move(request), std::move(taker), attach);
  };
}

Co<uint32_t> sandbox_pid(HttpEngine& engine, std::string sandbox, int64_t deadline) {
  auto facts = co_await engine.inspect(sandbox, deadline);
  if (!facts.ok() && facts.code() != LOTSE_NOT_FOUND) facts.failure().raise();
  co_return facts.ok() ? facts->pid : 0;
}

}  // namespace

#define LOTSE_STEP(NAME)                                                                                        \
  void HttpRuntime::NAME(const Msg& request, sdk::Call call) {                                                  \
    engine_.serve(call, [this, request](int64_t deadline) { return NAME##_step(engine_, request, deadline); }); \
  }
LOTSE_STEP(info)
LOTSE_STEP(sandbox_run)
LOTSE_STEP(sandbox_stop)
LOTSE_STEP(sandbox_remove)
LOTSE_STEP(sandbox_status)
LOTSE_STEP(sandbox_list)
LOTSE_STEP(container_create)
LOTSE_STEP(container_start)
LOTSE_STEP(container_stop)
LOTSE_STEP(container_remove)
LOTSE_STEP(container_status)
LOTSE_STEP(container_list)
LOTSE_STEP(container_update)
LOTSE_STEP(container_stats)
LOTSE_STEP(container_reopen_log)
LOTSE_STEP(image_status)
LOTSE_STEP(image_list)
LOTSE_STEP(image_remove)
LOTSE_STEP(image_fs)
#undef LOTSE_STEP

// Reads a file of any size: this thread of the pool does it, and waits for the engine in between.
void HttpRuntime::image_import(const Msg& request, sdk::Call call) {
  std::string path = need_text(request, "path");
  int64_t deadline = call.deadline_ns() != 0 ? call.deadline_ns() : Reactor::now_ns() + kImportTimeoutNs;
  auto names = load_archive(engine_, path, deadline, [&] { return call.cancelled() || engine_.stopping(); });
  call.done(Msg::map({{"images", Msg::strings(names)}}));
}

sdk::ProducerPtr HttpRuntime::exec(const Msg& request) {
  return open_exec(engine_, ExecRequest::parse(request), maker(engine_, false));
}

void HttpRuntime::exec_sync(const Msg& request, sdk::Call call) {
  serve_exec_sync(engine_, request, call, maker(engine_, false));
}

sdk::ProducerPtr HttpRuntime::attach(const Msg& request) {
  return open_exec(engine_, ExecRequest::parse(request, true), maker(engine_, true));
}

sdk::ProducerPtr HttpRuntime::port_forward(const Msg& request) {
  return open_port_forward(engine_, request, [this](const std::string& sandbox, int64_t deadline) {
    return sandbox_pid(engine_, sandbox, deadline);
  });
}

sdk::ProducerPtr HttpRuntime::events(const Msg&) {
  return engine_.hub.open();
}

sdk::ProducerPtr HttpRuntime::image_pull(const Msg& request) {
  return open_pull(engine_, request);
}

}  // namespace lotse::engine_http
