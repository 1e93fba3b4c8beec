#include "plugins/runtime_containerd/runtime.h"

#include "plugins/container_engine/port_forward.h"
#include "plugins/runtime_containerd/exec_process.h"
#include "plugins/runtime_containerd/image_import.h"
#include "plugins/runtime_containerd/steps.h"

namespace lotse::runtime_containerd {

ContainerdRuntime::ContainerdRuntime(const sdk::Host& host, const sdk::Config& config)
    : Runtime(host), engine_(host, config) {}

ContainerdRuntime::~ContainerdRuntime() {
  engine_.stop();
}

#define LOTSE_STEP(NAME)                                                                                        \
  void ContainerdRuntime::NAME(const Msg& request, sdk::Call call) {                                            \
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

// Reads a file of any size: this thread of the pool does it, and waits for containerd in between.
void ContainerdRuntime::image_import(const Msg& request, sdk::Call call) {
  std::string path = need_text(request, "path");
  int64_t deadline = call.deadline_ns() != 0 ? call.deadline_ns() : Reactor::now_ns() + kImportTimeoutNs;
  std::vector<std::string> names = import_archive(engine_, path, deadline, [&] { return call.cancelled(); });
  call.done(Msg::map({{"images", Msg::strings(names)}}));
}

static MakeExec exec_maker(Engine& engine) {
  return [&engine](ExecRequest request, std::weak_ptr<ExecTaker> taker) {
    return std::make_shared<ExecProcess>(engine, std::move(request), std::move(taker));
  };
}

sdk::ProducerPtr ContainerdRuntime::exec(const Msg& request) {
  return open_exec(engine_, ExecRequest::parse(request), exec_maker(engine_));
}

void ContainerdRuntime::exec_sync(const Msg& request, sdk::Call call) {
  serve_exec_sync(engine_, request, call, exec_maker(engine_));
}

sdk::ProducerPtr ContainerdRuntime::port_forward(const Msg& request) {
  return open_port_forward(engine_, request, [this](const std::string& sandbox, int64_t deadline) {
    return task_pid(engine_, sandbox, deadline);
  });
}

}  // namespace lotse::runtime_containerd
