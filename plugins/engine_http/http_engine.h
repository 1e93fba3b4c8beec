// HttpEngine: all that one instance of such a plugin owns. A plugin derives it: its dialect, its daemon of our own, and
// what its logs need.
//
// Threads: the reactor's.
#pragma once
#include <memory>
#include <set>
#include <string>

#include "plugins/container_engine/engine_core.h"
#include "plugins/engine_http/cni.h"
#include "plugins/engine_http/dialect.h"
#include "plugins/engine_http/event_hub.h"
#include "plugins/engine_http/http_api.h"

namespace lotse::engine_http {

struct EngineSettings {
  std::string name;    // "docker"
  std::string socket;  // of the API
  std::string prefix;  // "/v1.41"
  std::string pause_image;
  std::string cni_bin_dir;
  std::string data_dir, run_dir;
  Machine machine;
};

class HttpEngine : public EngineCore {
 public:
  HttpEngine(const sdk::Host& host, EngineSettings settings, std::unique_ptr<Dialect> dialect);

  // ---- what the plugins differ in ----
  // The engine tells of itself: version, cgroup_driver, root. Throws where it does not answer.
  virtual Co<Msg> about(int64_t deadline_ns) = 0;
  virtual Co<Done> before_start(ContainerFacts facts, int64_t deadline_ns);
  virtual Co<Done> after_start(std::string id, int64_t deadline_ns);
  // A container was found after a start, or has been started.
  virtual void log_begins(const ContainerFacts&) {}
  // All that it has written is in its log once this has returned; it has exited.
  virtual void log_ends(const std::string& id) { (void)id; }
  virtual void log_removed(const std::string& id) { (void)id; }
  virtual void logs_known(const std::set<std::string>& ids) { (void)ids; }  // of all containers that there are
  virtual Co<Done> reopen_log(ContainerFacts facts, int64_t deadline_ns) = 0;
  // Lets a daemon of our own know how the registry is reached. What an external one cannot be told: the end of a sentence.
  virtual Co<std::string> trust(PullSource source, int64_t deadline_ns) = 0;
  // Where dialect->update says that the engine cannot.
  virtual Co<Done> update(ContainerFacts facts, Resources resources, int64_t deadline_ns);

  // Whether it answers at all, within five seconds: for its Supervisor.
  void ping(std::function<void(bool)> done);

  // ---- steps ----
  Co<HttpAnswer> call(const char* method, std::string path, int64_t deadline_ns);
  Co<HttpAnswer> call(const char* method, std::string path, Msg body, int64_t deadline_ns);
  Co<Outcome<HttpAnswer>> try_call(const char* method, std::string path, int64_t deadline_ns);
  Co<Outcome<HttpAnswer>> try_call(const char* method, std::string path, Msg body, int64_t deadline_ns);
  // Only what is ours; LOTSE_NOT_FOUND otherwise.
  Co<Outcome<ContainerFacts>> inspect(std::string id, int64_t deadline_ns);
  Co<std::vector<ContainerFacts>> list(Texts labels, int64_t deadline_ns);
  // Kills it and waits for its end; fine if it is gone.
  Co<Done> kill_and_wait(std::string id, int64_t deadline_ns);

  // What was imported from a file is nowhere to be pulled from: such a file of ours tells that an image is pinned.
  std::string imported_file(const std::string& id) const {
    return settings.data_dir + "/imported/" + id.substr(id.find(':') + 1);
  }

  // A sandbox's resolv.conf where the engine has none.
  std::string resolv_conf_of(const std::string& sandbox) const {
    return settings.data_dir + "/sandboxes/" + sandbox + ".resolv.conf";
  }

  const EngineSettings settings;
  const std::unique_ptr<Dialect> dialect;
  HttpApi api;
  Cni cni;
  EventHub hub;
};

// Ids are looked up by their full text only: an engine takes beginnings and names as well.
bool is_full_id(const std::string& id);

}  // namespace lotse::engine_http
