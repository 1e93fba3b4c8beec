// The short functions as steps: the request's map in, the answer's map out, sdk::Failure thrown.
#pragma once
#include "plugins/engine_http/http_engine.h"

namespace lotse::engine_http {

Co<Msg> info_step(HttpEngine& engine, Msg request, int64_t deadline_ns);

Co<Msg> sandbox_run_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> sandbox_stop_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> sandbox_remove_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> sandbox_status_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> sandbox_list_step(HttpEngine& engine, Msg request, int64_t deadline_ns);

Co<Msg> container_create_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_start_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_stop_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_remove_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_status_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_list_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_update_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_stats_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> container_reopen_log_step(HttpEngine& engine, Msg request, int64_t deadline_ns);

Co<Msg> image_status_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> image_list_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> image_remove_step(HttpEngine& engine, Msg request, int64_t deadline_ns);
Co<Msg> image_fs_step(HttpEngine& engine, Msg request, int64_t deadline_ns);

// Makes what the specification says, or answers with the id of what exists already under its name.
Co<std::string> create_once(HttpEngine& engine, ContainerSpec spec, int64_t deadline_ns);

}  // namespace lotse::engine_http
