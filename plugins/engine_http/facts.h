// What an engine says of its containers, images and events, in one form for all.
#pragma once
#include <optional>

#include "plugins/container_engine/json.h"
#include "plugins/engine_http/container_spec.h"

namespace lotse::engine_http {

struct ContainerFacts {
  enum class State { created, running, exited, unknown };

  std::string id;
  Texts labels;
  State state = State::unknown;
  bool start_failed = false;  // it is `exited` without ever having run
  int64_t created = 0, started = 0, finished = 0;
  int exit_code = 0;
  bool oom_killed = false;
  std::string error;
  uint32_t pid = 0;
  std::string image_id;
  std::string resolv_conf_file;
  std::string log_file;  // the engine's own
  std::string bundle;    // its directory, where the engine tells
  bool tty = false;

  bool is_sandbox() const { return label_of(labels, mark::kSandbox).empty(); }
};

Msg sandbox_answer(const ContainerFacts& facts, const std::vector<std::string>& ips);
Msg container_answer(const ContainerFacts& facts, bool was_oom);

struct EngineEvent {
  enum class Kind { created, started, exited, removed, oom, exec_exited };
  Kind kind;
  std::string id;
  Texts labels;  // as far as the engine gives them
  int64_t time = 0;
  std::string exec_id;
};

// "2026-11-23T19:43:02.123456789Z" or with an offset; 0 for Go's zero time and what is none.
int64_t unix_ns_of(const std::string& rfc3339);

Texts texts_of(const Json& object);
Msg image_answer(const Json& image, const std::string& pinned_image);  // of a list, or inspected
std::string clean_image_name(const std::string& name);                 // as Docker and containerd complete it

}  // namespace lotse::engine_http
