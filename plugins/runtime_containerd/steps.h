// The short functions as steps: the request's map in, the answer's map out, sdk::Failure thrown.
#pragma once
#include "plugins/runtime_containerd/engine.h"

namespace lotse::runtime_containerd {

Co<Msg> info_step(Engine& engine, Msg request, int64_t deadline_ns);

Co<Msg> sandbox_run_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> sandbox_stop_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> sandbox_remove_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> sandbox_status_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> sandbox_list_step(Engine& engine, Msg request, int64_t deadline_ns);

Co<Msg> container_create_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_start_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_stop_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_remove_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_status_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_list_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_update_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_stats_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_reopen_log_step(Engine& engine, Msg request, int64_t deadline_ns);

Co<Msg> image_status_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> image_list_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> image_remove_step(Engine& engine, Msg request, int64_t deadline_ns);
Co<Msg> image_fs_step(Engine& engine, Msg request, int64_t deadline_ns);

// The pid of the process that a sandbox or container holds; 0: none is running.
Co<uint32_t> task_pid(Engine& engine, std::string id, int64_t deadline_ns);
// All of them at once.
Co<std::map<std::string, uint32_t>> task_pids(Engine& engine, int64_t deadline_ns);

}  // namespace lotse::runtime_containerd
