// The sandboxes and containers of a hollow runtime: records in memory, and the rules of idempotence on them.
//
// Threads: no lock of its own; the runtime guards it.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "lotse/msgpack.hpp"
#include "plugins/runtime_hollow/script.h"

namespace lotse::runtime_hollow {

using sdk::Msg;

struct Sandbox {
  std::string id, uid, name_space, name, ip;
  int64_t attempt = 0, created = 0;
  bool ready = true;
  Msg labels, annotations;
  Msg status() const;
};

struct Container {
  std::string id, sandbox, name, image;
  int64_t attempt = 0, created = 0, started = 0, finished = 0;
  enum State { kCreated, kStarting, kRunning, kExited } state = kCreated;
  int exit_code = 0;
  std::string reason, message;
  Msg labels, annotations, resources;
  std::string log_path;
  Rule rule;
  uint64_t run = 0;  // which start a timer belongs to
  Msg status() const;
};

class Pods {
 public:
  explicit Pods(std::string prefix) : prefix_(std::move(prefix)) {}

  // The sandbox with this metadata, made if it is new.
  Sandbox& sandbox(const Msg& request, int64_t now, bool* made);
  Container& container(const Msg& request, const Script& script, int64_t now, bool* made);
  Sandbox* find_sandbox(const std::string& id);
  Container* find_container(const std::string& id);
  // Throw LOTSE_NOT_FOUND.
  Sandbox& need_sandbox(const std::string& id);
  Container& need_container(const std::string& id);
  // False: it was over already.
  bool finish(Container& container, int code, const std::string& reason, int64_t now);
  void erase_container(const std::string& id);
  void erase_sandbox(const std::string& id);

  const std::map<std::string, Sandbox>& sandboxes() const { return sandboxes_; }
  std::map<std::string, Container>& containers() { return containers_; }

 private:
  std::string fresh_id(char kind);
  std::string prefix_;
  uint64_t count_ = 0;
  std::map<std::string, Sandbox> sandboxes_;
  std::map<std::string, Container> containers_;
  std::map<std::string, std::string> sandbox_keys_;    // metadata -> id
  std::map<std::string, std::string> container_keys_;  // sandbox, name, attempt -> id
};

// An image is whatever is asked for.
std::string image_id(const std::string& name);

}  // namespace lotse::runtime_hollow
