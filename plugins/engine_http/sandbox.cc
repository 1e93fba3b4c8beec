// Sandboxes: a process that holds the namespaces, and a network by CNI.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/engine_http/runtime_steps.h"

namespace lotse::engine_http {
namespace {

using State = ContainerFacts::State;

bool wants_network(const ContainerFacts& facts) {
  std::string words = " " + label_of(facts.labels, mark::kOptions) + " ";
  return words.find(" host_network ") == std::string::npos;
}

std::string netns_of(const ContainerFacts& facts) {
  return facts.pid != 0 ? "/proc/" + std::to_string(facts.pid) + "/ns/net" : std::string();
}

Texts of_sandbox(const std::string& id) {
  return {{mark::kSandbox, id}};
}

// The engine's file is mounted into the pod's containers, so it is written where it lies; where it has none, one of
// ours is.
void write_resolv_conf(HttpEngine& engine, const ContainerFacts& facts, const std::string& text) {
  if (text.empty()) return;
  std::string path = facts.resolv_conf_file.empty() ? engine.resolv_conf_of(facts.id) : facts.resolv_conf_file;
  mkdir((engine.settings.data_dir + "/sandboxes").c_str(), 0700);
  int fd = open(path.c_str(), O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0644);
  bool written = fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (fd >= 0) close(fd);
  if (!written) throw sdk::Failure(LOTSE_UNAVAILABLE, "cannot write " + path + ": " + strerror(errno));
}

Co<ContainerFacts> inspected(HttpEngine& engine, std::string id, int64_t deadline) {
  auto facts = co_await engine.inspect(id, deadline);
  if (facts.ok() && !facts->is_sandbox()) throw sdk::Failure(LOTSE_NOT_FOUND, "there is no sandbox " + id);
  co_return std::move(facts).take();
}

std::vector<std::string> ips_of(HttpEngine& engine, const ContainerFacts& facts) {
  if (!wants_network(facts)) return {};
  auto network = engine.cni.known(facts.id);
  return network ? network->ips() : std::vector<std::string>();
}

Co<Done> stop_sandbox(HttpEngine& engine, ContainerFacts facts, int64_t deadline) {
  auto containers = co_await engine.list(of_sandbox(facts.id), deadline);
  for (auto& container : containers) {
    co_await engine.kill_and_wait(container.id, deadline);
    engine.log_ends(container.id);
  }
  co_await engine.cni.remove(facts.id, netns_of(facts), deadline);
  co_await engine.kill_and_wait(facts.id, deadline);
  co_return Done{};
}

}  // namespace

Co<std::string> create_once(HttpEngine& engine, ContainerSpec spec, int64_t deadline) {
  ApiCall create = engine.dialect->create(spec);
  auto made = co_await engine.try_call("POST", create.path, create.body, deadline);
  if (made.ok()) co_return made->json()["Id"].text();
  // "name is in use": its id is wanted. An engine may say that with other codes than 409.
  auto there = co_await engine.try_call("GET", "/containers/" + spec.name + "/json", deadline);
  if (!there.ok()) made.failure().raise();
  ContainerFacts facts = engine.dialect->facts(there->json());
  if (label_of(facts.labels, mark::kOwner) != engine.settings.machine.owner) made.failure().raise();
  co_return facts.id;
}

Co<Msg> sandbox_run_step(HttpEngine& engine, Msg request, int64_t deadline) {
  ContainerSpec spec = sandbox_spec(request, engine.settings.machine);
  std::string dns = resolv_conf(request);
  if (spec.image.empty()) spec.image = engine.settings.pause_image;
  CniNetwork network;
  if (!spec.host_network) network = cni_network_of(request);
  co_await engine.ready(deadline);
  auto turn = co_await engine.turn("sandbox/" + spec.name);
  std::string id = co_await create_once(engine, spec, deadline);
  ContainerFacts facts = co_await inspected(engine, id, deadline);
  if (facts.state == State::created) {
    co_await engine.call("POST", "/containers/" + id + "/start", deadline);
    facts = co_await inspected(engine, id, deadline);
    write_resolv_conf(engine, facts, dns);
  }
  std::vector<std::string> ips;
  if (!spec.host_network && facts.state == State::running) {
    auto known = engine.cni.known(id);
    if (known && known->result.is_nil()) {  // begun once, and never ended
      co_await engine.cni.remove(id, netns_of(facts), deadline);
      known.reset();
    }
    if (!known) known = co_await engine.cni.add(id, netns_of(facts), std::move(network), deadline);
    ips = known->ips();
  }
  Msg answer = Msg::map({{"id", id}, {"ips", Msg::strings(ips)}});
  if (facts.pid != 0) answer.set("netns", netns_of(facts));
  co_return answer;
}

Co<Msg> sandbox_stop_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string id = need_text(request, "id");
  co_await engine.ready(deadline);
  auto turn = co_await engine.turn("stop/" + id);
  auto facts = co_await engine.inspect(id, deadline);
  if (!facts.ok() && facts.code() == LOTSE_NOT_FOUND) {
    if (is_full_id(id)) co_await engine.cni.remove(id, "", deadline);
    co_return Msg::map();
  }
  if (!facts.ok()) facts.failure().raise();
  co_await stop_sandbox(engine, *facts, deadline);
  co_return Msg::map();
}

Co<Msg> sandbox_remove_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string id = need_text(request, "id");
  co_await engine.ready(deadline);
  auto turn = co_await engine.turn("stop/" + id);
  auto facts = co_await engine.inspect(id, deadline);
  if (!facts.ok() && facts.code() == LOTSE_NOT_FOUND) co_return Msg::map();
  if (!facts.ok()) facts.failure().raise();
  co_await stop_sandbox(engine, *facts, deadline);
  auto containers = co_await engine.list(of_sandbox(id), deadline);
  for (auto& container : containers) {
    Msg one = Msg::map({{"id", container.id}});
    co_await container_remove_step(engine, one, deadline);
  }
  auto removed = co_await engine.try_call("DELETE", engine.dialect->remove_path(id), deadline);
  if (!removed.ok() && removed.code() != LOTSE_NOT_FOUND) removed.failure().raise();
  unlink(engine.resolv_conf_of(id).c_str());
  co_return Msg::map();
}

Co<Msg> sandbox_status_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string id = need_text(request, "id");
  co_await engine.ready(deadline);
  ContainerFacts facts = co_await inspected(engine, id, deadline);
  co_return sandbox_answer(facts, ips_of(engine, facts));
}

Co<Msg> sandbox_list_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string uid = get_text(request, "uid");
  co_await engine.ready(deadline);
  Texts labels;
  if (!uid.empty()) labels[mark::kUid] = uid;
  auto all = co_await engine.list(labels, deadline);
  Msg items = Msg::array();
  for (auto& facts : all) {
    if (facts.is_sandbox()) items.push(sandbox_answer(facts, ips_of(engine, facts)));
  }
  co_return Msg::map({{"items", std::move(items)}});
}

}  // namespace lotse::engine_http
