// Containers, with the idempotence that the ABI asks for.
#include <unistd.h>

#include "plugins/engine_http/cgroup_stats.h"
#include "plugins/engine_http/runtime_steps.h"

namespace lotse::engine_http {
namespace {

using State = ContainerFacts::State;
constexpr int64_t kSecond = 1'000'000'000;

Co<ContainerFacts> inspected(HttpEngine& engine, std::string id, int64_t deadline) {
  auto facts = co_await engine.inspect(id, deadline);
  if (facts.ok() && facts->is_sandbox()) throw sdk::Failure(LOTSE_NOT_FOUND, "there is no container " + id);
  co_return std::move(facts).take();
}

}  // namespace

Co<Msg> container_create_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string sandbox = need_text(request, "sandbox");
  co_await engine.ready(deadline);
  auto facts = co_await engine.inspect(sandbox, deadline);
  if (!facts.ok() && facts.code() == LOTSE_NOT_FOUND) container_spec(request, {}, engine.settings.machine);
  if (!facts.ok()) facts.failure().raise();
  ContainerSpec spec = container_spec(request, facts->labels, engine.settings.machine);
  if (std::string file = engine.resolv_conf_of(sandbox); access(file.c_str(), F_OK) == 0) {
    bool own = false;
    for (auto& mount : spec.mounts) own |= mount.target == "/etc/resolv.conf";
    if (!own) spec.mounts.push_back({file, "/etc/resolv.conf", "rprivate", false});
  }
  auto turn = co_await engine.turn("container/" + spec.name);
  std::string id = co_await create_once(engine, spec, deadline);
  co_return Msg::map({{"id", id}});
}

Co<Msg> container_start_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string id = need_text(request, "id");
  co_await engine.ready(deadline);
  auto turn = co_await engine.turn("start/" + id);
  ContainerFacts facts = co_await inspected(engine, id, deadline);
  // The engine would start one that has ended once more.
  if (facts.state == State::exited && facts.start_failed) throw sdk::Failure(LOTSE_UNKNOWN, facts.error);
  if (facts.state != State::created) co_return Msg::map();
  co_await engine.before_start(facts, deadline);
  co_await engine.call("POST", "/containers/" + id + "/start", deadline);
  co_await engine.after_start(id, deadline);
  co_return Msg::map();
}

Co<Msg> container_stop_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string id = need_text(request, "id");
  int64_t timeout = need_int(request, "timeout_ns", 0, INT64_MAX / 2);
  co_await engine.ready(deadline);
  auto facts = co_await engine.inspect(id, deadline);
  if (!facts.ok() && facts.code() == LOTSE_NOT_FOUND) co_return Msg::map();
  if (!facts.ok()) facts.failure().raise();
  if (facts->state != State::running) co_return Msg::map();
  if (timeout == 0) {
    co_await engine.kill_and_wait(id, deadline);
  } else {
    std::string path = engine.dialect->stop_path(id, (timeout + kSecond - 1) / kSecond);
    auto stopped = co_await engine.try_call("POST", path, deadline);
    if (!stopped.ok() && stopped.code() != LOTSE_NOT_FOUND) stopped.failure().raise();
  }
  engine.log_ends(id);
  co_return Msg::map();
}

Co<Msg> container_remove_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string id = need_text(request, "id");
  co_await engine.ready(deadline);
  auto facts = co_await engine.inspect(id, deadline);
  if (!facts.ok() && facts.code() == LOTSE_NOT_FOUND) co_return Msg::map();
  if (!facts.ok()) facts.failure().raise();
  co_await engine.kill_and_wait(id, deadline);
  engine.log_ends(id);
  auto removed = co_await engine.try_call("DELETE", engine.dialect->remove_path(id), deadline);
  if (!removed.ok() && removed.code() == LOTSE_CONFLICT) {  // "removal is in progress": by another call of ours
    std::string path = engine.dialect->wait_path(id);
    path += (path.find('?') == std::string::npos ? "?" : "&") + std::string("condition=removed");
    co_await engine.try_call("POST", path, deadline);
  } else if (!removed.ok() && removed.code() != LOTSE_NOT_FOUND) {
    removed.failure().raise();
  }
  engine.forget_oom(id);
  co_return Msg::map();
}

Co<Msg> container_status_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string id = need_text(request, "id");
  co_await engine.ready(deadline);
  ContainerFacts facts = co_await inspected(engine, id, deadline);
  co_return container_answer(facts, engine.was_oom(id));
}

Co<Msg> container_list_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string sandbox = get_text(request, "sandbox");
  co_await engine.ready(deadline);
  Texts labels;
  if (!sandbox.empty()) labels[mark::kSandbox] = sandbox;
  auto all = co_await engine.list(labels, deadline);
  Msg items = Msg::array();
  for (auto& facts : all) {
    if (!facts.is_sandbox()) items.push(container_answer(facts, engine.was_oom(facts.id)));
  }
  co_return Msg::map({{"items", std::move(items)}});
}

Co<Msg> container_update_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string id = need_text(request, "id");
  if (request["resources"].is_nil()) refuse("the key \"resources\" is missing");
  Resources wanted = Resources::read(get_map(request, "resources"), engine.settings.machine);
  co_await engine.ready(deadline);
  ContainerFacts facts = co_await inspected(engine, id, deadline);
  ApiCall update = engine.dialect->update(id, wanted);
  if (update.path.empty()) {
    co_await engine.update(facts, wanted, deadline);
  } else {
    co_await engine.call("POST", update.path, update.body, deadline);
  }
  co_return Msg::map();
}

// From the container's cgroup: what the engines' own statistics are made of, without their second of waiting.
Co<Msg> container_stats_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string id = get_text(request, "id"), sandbox = get_text(request, "sandbox");
  co_await engine.ready(deadline);
  std::vector<ContainerFacts> all;
  if (!id.empty()) {
    all.push_back(co_await inspected(engine, id, deadline));
  } else {
    Texts labels;
    if (!sandbox.empty()) labels[mark::kSandbox] = sandbox;
    all = co_await engine.list(labels, deadline);
  }
  Msg items = Msg::array();
  for (auto& facts : all) {
    if (facts.is_sandbox() || facts.pid == 0) continue;
    auto measured = cgroup_stats(facts.pid);
    if (!measured) continue;
    Msg one = Msg::map({{"id", facts.id},
                        {"sandbox", label_of(facts.labels, mark::kSandbox)},
                        {"time", Reactor::unix_now_ns()},
                        {"cpu_ns", measured->cpu_ns},
                        {"memory_bytes", measured->working_set_bytes},
                        {"memory_usage_bytes", measured->memory_bytes},
                        {"rss_bytes", measured->rss_bytes}});
    if (measured->pids > 0) one.set("pids", measured->pids);
    items.push(std::move(one));
  }
  co_return Msg::map({{"items", std::move(items)}});
}

Co<Msg> container_reopen_log_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string id = need_text(request, "id");
  co_await engine.ready(deadline);
  ContainerFacts facts = co_await inspected(engine, id, deadline);
  co_await engine.reopen_log(facts, deadline);
  co_return Msg::map();
}

}  // namespace lotse::engine_http
