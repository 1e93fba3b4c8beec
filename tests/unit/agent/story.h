// A pod's life as a story: inputs are told, actions looked at. The clock moves only when told.
#pragma once
#include <catch2/catch.hpp>

#include "core/agent/pod_state.h"
#include "core/agent/pod_status.h"
#include "core/object/json.h"

namespace lotse::agent {

inline json::Value yaml(std::string_view text) {
  auto v = json::parse_yaml(text);
  REQUIRE(v.ok());
  return *v;
}

inline ObjectPtr object(std::string_view text, uint64_t revision = 1) { return Object::from_value(yaml(text), revision); }

struct Story {
  json::Value pod;
  PodState state;
  Now now{WallTime(std::chrono::seconds(1767225600)), SteadyTime(std::chrono::hours(1))};
  Outcome out;

  explicit Story(std::string_view text) : pod(yaml(text)) { see(); }

  void see() {
    Input in;
    in.kind = Input::Kind::kPod;
    in.spec = parse_pod(*Object::from_value(pod, 1));
    tell(in);
  }
  void tell(const Input& in) { out = step(state, in, now); }
  void tell(Input::Kind kind, std::string_view container = {}) {
    Input in;
    in.kind = kind;
    if (!container.empty()) in.container = state.spec->find(container);
    tell(in);
  }
  void wait(Duration d) {
    now.wall += d;
    now.steady += d;
    tell(Input::Kind::kTick);
  }
  // All that must come before containers.
  void up_to_containers() {
    tell(Input::Kind::kAdmitted);
    tell(Input::Kind::kVolumesReady);
    Input in;
    in.kind = Input::Kind::kSandboxReady;
    in.id = "sandbox";
    in.ips = {"10.244.1.5"};
    tell(in);
  }
  void image(std::string_view container, std::string id = "sha256:1") {
    Input in;
    in.kind = Input::Kind::kImageReady;
    in.container = state.spec->find(container);
    in.id = std::move(id);
    tell(in);
  }
  void observe(std::string_view container, Observation::Phase phase, int exit_code = 0, std::string reason = {}) {
    Input in;
    in.kind = Input::Kind::kObserved;
    in.container = state.spec->find(container);
    auto& c = state.containers[static_cast<size_t>(in.container)];
    bool next = c.phase == ContainerState::Phase::kStarting && c.reason != "PostStart";
    in.seen.attempt = next ? c.attempt + 1 : c.attempt;
    in.seen.id = std::string(container) + "-" + std::to_string(in.seen.attempt);
    in.seen.name = std::string(container);
    in.seen.phase = phase;
    in.seen.exit_code = exit_code;
    in.seen.reason = std::move(reason);
    in.seen.started = now.wall;
    in.seen.finished = now.wall;
    tell(in);
  }
  void run(std::string_view container) {
    image(container);
    observe(container, Observation::Phase::kRunning);
  }
  void exit(std::string_view container, int code, std::string reason = {}) {
    observe(container, Observation::Phase::kExited, code, std::move(reason));
  }
  void remove(int64_t grace) {
    pod["metadata"].set("deletionTimestamp", "2026-01-01T00:00:30Z");
    pod["metadata"].set("deletionGracePeriodSeconds", grace);
    see();
  }
  // "EnsureImage:app", "Kill:app:30", "Event:Started", ... in order.
  std::vector<std::string> actions() const {
    static const char* kNames[] = {"PrepareVolumes", "RunSandbox", "StopSandbox", "EnsureImage", "Start", "Kill", "RemoveContainer", "StartProbes",
                                   "StopProbes", "Event", "CleanUp", "DeleteObject", "RemoveAll"};
    std::vector<std::string> list;
    for (const auto& a : out.actions) {
      std::string text = kNames[static_cast<size_t>(a.kind)];
      if (a.kind == Action::Kind::kEvent) text += ":" + a.reason;
      else if (a.container >= 0) text += ":" + state.spec->containers[static_cast<size_t>(a.container)].name;
      if (a.kind == Action::Kind::kKill || a.kind == Action::Kind::kStart) text += ":" + std::to_string(a.number);
      list.push_back(text);
    }
    return list;
  }
  bool did(std::string_view action) const {
    auto list = actions();
    return std::find(list.begin(), list.end(), action) != list.end();
  }
  json::Value status() const { return make_status(state, pod, {"192.0.2.10"}, now.wall); }
  json::Value container(std::string_view name, const char* list = "containerStatuses") const {
    const json::Value s = status();
    for (const auto& c : s[list].items()) {
      if (c["name"].str() == name) return c;
    }
    return nullptr;
  }
  std::string condition(std::string_view type) const {
    const json::Value s = status();
    for (const auto& c : s["conditions"].items()) {
      if (c["type"].str() == type) return std::string(c["status"].str()) + (c.has("reason") ? " " + std::string(c["reason"].str()) : "");
    }
    return "";
  }
};

}  // namespace lotse::agent
