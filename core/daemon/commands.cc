#include "core/daemon/commands.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "core/base/file.h"
#include "core/base/run_on.h"
#include "core/control/masters.h"
#include "core/daemon/api_command.h"
#include "core/daemon/master.h"
#include "core/daemon/reload.h"
#include "core/daemon/worker.h"
#include "core/object/json.h"
#include "core/store/move.h"

namespace lotse::daemon {
namespace {

Status no_master() { return Status(Reason::kBadRequest, "this daemon is a worker only: ask a master"); }

// For people, or as {"output": "json"} asks, for programs.
Status answer(const MsgValue& request, ControlReply& reply, const std::string& text, const json::Value& facts) {
  reply.out(request["output"].as_text() == "json" ? json::write_pretty(facts) + "\n" : text);
  return {};
}

Status status(const Base& base, Master* master, Worker* worker, const MsgValue& request, ControlReply& reply) {
  json::Value v = json::Value::object({{"version", base.version}, {"node", base.config.daemon.node_name}, {"address", base.node_address}, {"dataDir", base.dir()}});
  if (master) {
    json::Value addresses = json::Value::array();
    for (const auto& address : master->addresses()) addresses.push(address);
    v["master"] = json::Value::object({{"clusterID", master->store().cluster_id()}, {"revision", master->store().revision()}, {"addresses", addresses},
                                       {"connectedNodes", static_cast<int64_t>(master->connected_nodes().size())}, {"kubeconfig", master->kubeconfig_file()}, {"leads", master->leads()}});
  }
  if (worker) v["worker"] = json::Value::object({{"connected", worker->connected()}, {"runtime", worker->runtime()}, {"proxy", worker->proxy()}});
  std::string text = "lotse " + base.version + "\nnode " + base.config.daemon.node_name + " at " + base.node_address + ", data in " + base.dir() + "\n";
  if (master) {
    const auto& m = v["master"];
    text += "master: cluster " + std::string(m["clusterID"].str()) + " at revision " + std::to_string(master->store().revision()) + ", " +
            std::to_string(m["connectedNodes"].integer()) + " node(s) connected" + (master->leads() ? "" : ", another master leads") + "\n";
    for (const auto& address : m["addresses"].items()) text += "  API by " + std::string(address.str()) + "\n";
    text += "  kubeconfig " + master->kubeconfig_file() + "\n";
  }
  if (worker) text += std::string("worker: ") + (worker->connected() ? "connected to a master" : "no session with a master") + ", runtime " + std::string(v["worker"]["runtime"].str()) + ", proxy " + worker->proxy() + "\n";
  return answer(request, reply, text, v);
}

// A new file beside the wanted one, so that the backup is whole or not there.
Status backup(Master& master, ControlReply& reply) {
  char name[] = "/tmp/lotse-backup-XXXXXX";
  const int fd = mkostemp(name, O_CLOEXEC);
  if (fd < 0) return errno_status("create", name, errno);
  unlink(name);
  Status result = master.store().backup(fd);
  if (result.ok() && lseek(fd, 0, SEEK_SET) == 0) {
    std::string buffer(1 << 20, '\0');
    for (ssize_t size; result.ok() && (size = read(fd, buffer.data(), buffer.size())) > 0;)
      if (!reply.data(std::string_view(buffer).substr(0, static_cast<size_t>(size)))) result = Status(Reason::kCancelled, "the command has gone");
  }
  close(fd);
  return result;
}

Status restore(Master& master, const std::string& file, ControlReply& reply) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno_status("open", file, errno);
  Status result = master.store().restore(fd);
  close(fd);
  if (result.ok()) reply.out("restored; clients list everything again\n");
  return result;
}

// Into the backend that the configuration file has a section for; the file is read anew, as it will have been changed for this.
Status migrate(Base& base, Master& master, const std::string& to, ControlReply& reply) {
  config::Config config = base.config;
  if (!config.file.empty()) {
    LOTSE_TRY(config, config::load_config(config.file));
  }
  if (to == base.config.components.state) return Status(Reason::kInvalid, "the cluster's state is in " + to + " already");
  if (master.store().shared()) {
    LOTSE_TRY(auto masters, master.store().list({.resource = control::kMasters}));
    if (masters.items.size() > 1) return Status(Reason::kConflict, "the state of several masters cannot be moved: stop the others and `lotse master remove` them");
  }
  config.components.state = to;
  LOTSE_TRY(auto plugin, base.plugins.create_state(base.host, config));
  LOTSE_TRY(auto destination, store::open_destination(plugin->c(), Clock::system()));
  char name[] = "/tmp/lotse-migrate-XXXXXX";
  const int fd = mkostemp(name, O_CLOEXEC);
  if (fd < 0) return errno_status("create", name, errno);
  unlink(name);
  Status result = store::move(master.store(), *destination, fd, to);
  close(fd);
  if (!result.ok()) return result;
  reply.out("moved. This lotsed takes no changes any more: set state = \"" + to + "\" in [components] and start it anew\n");
  return {};
}

Status create_token(const Base& base, Master& master, const MsgValue& request, ControlReply& reply) {
  if (base.config.bus.listen.empty()) return Status(Reason::kInvalid, "this master does not listen on the bus: set listen in [bus]");
  const bool for_master = request["master"].as_bool();
  if (for_master && !master.store().shared())
    return Status(Reason::kInvalid, "the state backend of this master is its own, so there can be no other: several masters need one that they share (state = \"etcd\" in [components])");
  const Duration lifetime = request["ttl_ns"].as_int() > 0 ? Duration(request["ttl_ns"].as_int()) : Duration(std::chrono::hours(24));
  auto result = std::make_shared<std::optional<Result<std::string>>>();
  wait_for(base.loop, std::chrono::seconds(30), [&](std::function<void()> done) {
    master.registry().create_token(lifetime, for_master, [result, done](Result<std::string> token) {
      result->emplace(std::move(token));
      done();
    });
  });
  if (!*result) return Status(Reason::kTimeout, "the token was not stored in time");
  if (!(*result)->ok()) return (*result)->status();
  const std::string text = bus::JoinString{master.bus_address(), ***result, for_master}.write();
  return answer(request, reply, text + "\n",
                json::Value::object({{"joinString", text}, {"for", for_master ? "master" : "worker"}, {"expires", format_time(Clock::system().now() + lifetime)}}));
}

Status list_masters(const Base& base, Master& master, const MsgValue& request, ControlReply& reply) {
  json::Value facts = json::Value::array();
  std::string text;
  if (!master.store().shared()) {
    const std::string& name = base.config.daemon.node_name;
    facts.push(json::Value::object({{"name", name}, {"only", true}}));
    return answer(request, reply, name + " (the only one)\n", json::Value::object({{"masters", std::move(facts)}}));
  }
  LOTSE_TRY(auto page, master.store().list({.resource = control::kMasters}));
  for (const auto& object : page.items) {
    const auto m = control::MasterRecord::of(*object);
    json::Value endpoints = json::Value::array();
    for (const auto& endpoint : m.endpoints) endpoints.push(endpoint);
    facts.push(json::Value::object({{"name", m.name}, {"api", m.api_address + ":" + std::to_string(m.api_port)}, {"bus", std::move(endpoints)}}));
    text += (m.name + " API " + m.api_address + ":" + std::to_string(m.api_port) + (m.endpoints.empty() ? "" : " bus " + m.endpoints[0]) + "\n");
  }
  return answer(request, reply, text, json::Value::object({{"masters", std::move(facts)}}));
}

Status remove_master(const Base& base, Master& master, const std::string& name, ControlReply& reply) {
  if (name == base.config.daemon.node_name) return Status(Reason::kInvalid, "this is the master that is asked: ask another one");
  store::Write write;
  write.op = store::Op::kDelete;
  write.key = {control::kMasters, "", name};
  auto done = store::commit_and_wait(master.store(), std::move(write));
  if (!done.ok()) return done.status().reason == Reason::kNotFound ? Status(Reason::kNotFound, "there is no master " + name + ": `lotse master list` names them") : done.status();
  reply.out("workers look for " + name + " no more; it has the cluster's keys: destroy its disk\n");
  return {};
}

json::Value image_json(const agent::ImageUse& image) {
  json::Value names = json::Value::array(), digests = json::Value::array(), containers = json::Value::array();
  for (const auto& text : image.names) names.push(text);
  for (const auto& text : image.digests) digests.push(text);
  for (const auto& text : image.containers) containers.push(text);
  return json::Value::object({{"id", image.id}, {"names", names}, {"digests", digests}, {"bytes", image.bytes}, {"pinned", image.pinned}, {"containers", containers}});
}

Status image_list(Worker& worker, const MsgValue& request, ControlReply& reply) {
  LOTSE_TRY(auto images, worker.images());
  json::Value items = json::Value::array();
  for (const auto& image : images) items.push(image_json(image));
  return answer(request, reply, agent::image_table(std::move(images)), json::Value::object({{"items", std::move(items)}}));
}

Status image_remove(Worker& worker, const std::string& wanted, ControlReply& reply) {
  LOTSE_TRY(auto images, worker.images());
  LOTSE_TRY(auto image, agent::find_image(images, wanted));
  LOTSE_CHECK_OK(agent::may_remove(image));
  LOTSE_CHECK_OK(worker.remove_image(image.id));
  reply.out("removed " + image.name() + "\n");
  return {};
}

// One that cannot be removed does not keep the others.
Status image_prune(Worker& worker, bool as_json, ControlReply& reply) {
  LOTSE_TRY(auto images, worker.images());
  json::Value removed = json::Value::array();
  int64_t bytes = 0, count = 0;
  Status failed;
  for (const auto& image : images) {
    if (!image.removable()) continue;
    if (Status status = worker.remove_image(image.id); !status.ok()) {
      failed = Status(status.reason, image.name() + ": " + status.message);
      continue;
    }
    if (!as_json) reply.out("removed " + image.name() + ", " + agent::size_text(image.bytes) + "\n");
    removed.push(image_json(image));
    bytes += image.bytes;
    ++count;
  }
  if (as_json) reply.out(json::write_pretty(json::Value::object({{"removed", removed}, {"bytes", bytes}})) + "\n");
  else reply.out(count == 0 ? "nothing to remove: every image is in use or pinned\n" : "removed " + std::to_string(count) + " image(s), " + agent::size_text(bytes) + "\n");
  return failed;
}

}  // namespace

void add_commands(ControlSocket& socket, Base& base, Master* master, Worker* worker, Reload& reload) {
  socket.handle("status", [&base, master, worker](const MsgValue& request, ControlReply& reply) {
    return status(base, master, worker, request, reply);
  });
  socket.handle("reload", [&reload](const MsgValue&, ControlReply& reply) -> Status {
    LOTSE_TRY(std::string text, reload.run());
    reply.out(text);
    return {};
  });
  socket.handle("kubeconfig", [master](const MsgValue&, ControlReply& reply) -> Status {
    if (!master) return no_master();
    LOTSE_TRY(std::string text, read_file(master->kubeconfig_file(), 1 << 16));
    reply.out(text);
    return {};
  });
  socket.handle("token.create", [&base, master](const MsgValue& request, ControlReply& reply) { return master ? create_token(base, *master, request, reply) : no_master(); });
  socket.handle("master.list", [&base, master](const MsgValue& request, ControlReply& reply) { return master ? list_masters(base, *master, request, reply) : no_master(); });
  socket.handle("master.remove", [&base, master](const MsgValue& request, ControlReply& reply) {
    return master ? remove_master(base, *master, std::string(request["name"].as_text()), reply) : no_master();
  });
  socket.handle("certs.rotate", [master](const MsgValue&, ControlReply& reply) -> Status {
    if (!master) return no_master();
    LOTSE_CHECK_OK(master->rotate_certificates());
    reply.out("the serving certificate and the administrator's are new; the API shows the new one from the next connection on\n");
    return {};
  });
  socket.handle("backup", [master](const MsgValue&, ControlReply& reply) { return master ? backup(*master, reply) : no_master(); });
  socket.handle("restore", [master](const MsgValue& request, ControlReply& reply) {
    return master ? restore(*master, std::string(request["path"].as_text()), reply) : no_master();
  });
  socket.handle("api", [&base, master](const MsgValue& request, ControlReply& reply) {
    return master ? ask_api(base.loop, master->api(), request, reply) : no_master();
  });
  socket.handle("state.migrate", [&base, master](const MsgValue& request, ControlReply& reply) {
    return master ? migrate(base, *master, std::string(request["to"].as_text()), reply) : no_master();
  });
  socket.handle("node.reset", [worker](const MsgValue&, ControlReply& reply) -> Status {
    if (!worker) return Status(Reason::kBadRequest, "this daemon is a master only: it runs no pods");
    return worker->reset([&](const std::string& line) { reply.out(line + "\n"); });
  });
  auto with_images = [&socket, worker](const char* name, std::function<Status(Worker&, const MsgValue&, ControlReply&)> act) {
    socket.handle(name, [worker, act = std::move(act)](const MsgValue& request, ControlReply& reply) -> Status {
      if (!worker) return Status(Reason::kBadRequest, "this daemon is a master only: images are kept by workers");
      return act(*worker, request, reply);
    });
  };
  with_images("image.list", [](Worker& w, const MsgValue& request, ControlReply& reply) { return image_list(w, request, reply); });
  with_images("image.remove", [](Worker& w, const MsgValue& request, ControlReply& reply) { return image_remove(w, std::string(request["image"].as_text()), reply); });
  with_images("image.prune", [](Worker& w, const MsgValue& request, ControlReply& reply) { return image_prune(w, request["output"].as_text() == "json", reply); });
  socket.handle("image.import", [worker](const MsgValue& request, ControlReply& reply) -> Status {
    if (!worker) return Status(Reason::kBadRequest, "this daemon is a master only: images are kept by workers");
    LOTSE_TRY(auto names, worker->import_image(std::string(request["path"].as_text())));
    std::string text;
    json::Value facts = json::Value::array();
    for (const auto& name : names) text += name + "\n", facts.push(name);
    return answer(request, reply, text, json::Value::object({{"images", std::move(facts)}}));
  });
}

}  // namespace lotse::daemon
