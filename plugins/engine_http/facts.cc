#include "plugins/engine_http/facts.h"

#include <signal.h>
#include <time.h>

#include <charconv>

#include "plugins/container_engine/image_archive.h"

namespace lotse::engine_http {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

const char* state_name(ContainerFacts::State state) {
  switch (state) {
    case ContainerFacts::State::created:
      return "created";
    case ContainerFacts::State::running:
      return "running";
    case ContainerFacts::State::exited:
      return "exited";
    default:
      return "unknown";
  }
}

int64_t number_of(const Texts& labels, const char* key) {
  std::string text = label_of(labels, key);
  int64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

std::string reason_of(const ContainerFacts& facts, bool was_oom) {
  if (facts.start_failed) return "StartError";
  if (facts.exit_code == 128 + SIGKILL && (facts.oom_killed || was_oom)) return "OOMKilled";
  return facts.exit_code == 0 ? "Completed" : "Error";
}

}  // namespace

Msg sandbox_answer(const ContainerFacts& facts, const std::vector<std::string>& ips) {
  Msg out = Msg::map({{"id", facts.id},
                      {"uid", label_of(facts.labels, mark::kUid)},
                      {"namespace", label_of(facts.labels, mark::kNamespace)},
                      {"name", label_of(facts.labels, mark::kPod)},
                      {"attempt", number_of(facts.labels, mark::kAttempt)},
                      {"state", facts.state == ContainerFacts::State::running ? "ready" : "notready"},
                      {"created", facts.created},
                      {"ips", Msg::strings(ips)},
                      {"labels", entries_below(facts.labels, mark::kLabel)},
                      {"annotations", entries_below(facts.labels, mark::kAnnotation)}});
  if (facts.pid != 0) {
    out.set("pid", facts.pid);
    out.set("netns", "/proc/" + std::to_string(facts.pid) + "/ns/net");
  }
  return out;
}

Msg container_answer(const ContainerFacts& facts, bool was_oom) {
  Msg out = Msg::map({{"id", facts.id},
                      {"sandbox", label_of(facts.labels, mark::kSandbox)},
                      {"name", label_of(facts.labels, mark::kName)},
                      {"attempt", number_of(facts.labels, mark::kAttempt)},
                      {"state", state_name(facts.state)},
                      {"created", facts.created},
                      {"started", facts.started},
                      {"finished", facts.finished},
                      {"exit_code", facts.exit_code},
                      {"image", label_of(facts.labels, mark::kImage)},
                      {"image_id", facts.image_id},
                      {"log_path", label_of(facts.labels, mark::kLogPath)},
                      {"labels", entries_below(facts.labels, mark::kLabel)},
                      {"annotations", entries_below(facts.labels, mark::kAnnotation)}});
  if (facts.state == ContainerFacts::State::exited) out.set("reason", reason_of(facts, was_oom));
  if (!facts.error.empty()) out.set("message", facts.error);
  if (facts.pid != 0) out.set("pid", facts.pid);
  return out;
}

int64_t unix_ns_of(const std::string& text) {
  tm t{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &t);
  if (rest == nullptr) return 0;
  int64_t ns = 0, unit = kSecond;
  if (*rest == '.') {
    for (rest++; *rest >= '0' && *rest <= '9'; rest++) {
      unit /= 10;
      ns += (*rest - '0') * unit;
    }
  }
  int64_t offset = 0;
  if (*rest == '+' || *rest == '-') {
    int hours = 0, minutes = 0;
    if (sscanf(rest + 1, "%2d:%2d", &hours, &minutes) != 2) return 0;
    offset = (hours * 3600 + minutes * 60) * (*rest == '-' ? -1 : 1);
  } else if (*rest != 'Z') {
    return 0;
  }
  int64_t seconds = timegm(&t) - offset;
  return seconds <= 0 ? 0 : seconds * kSecond + ns;
}

Texts texts_of(const Json& object) {
  Texts out;
  for (auto& key : object.keys()) out[key] = object[key.c_str()].text();
  return out;
}

std::string clean_image_name(const std::string& name) {
  return full_image_name(name);
}

Msg image_answer(const Json& image, const std::string& pinned_image) {
  Msg names = Msg::array(), digests = Msg::array();
  bool pinned = false;
  for (auto& tag : image["RepoTags"].items()) {
    std::string name = tag.text();
    if (name.empty() || name.starts_with("<none>")) continue;
    name = clean_image_name(name);
    pinned |= name == pinned_image;
    names.push(name);
  }
  for (auto& digest : image["RepoDigests"].items()) {
    if (std::string text = digest.text(); !text.starts_with("<none>")) digests.push(text);
  }
  std::string id = image["Id"].text();
  if (id.find(':') == std::string::npos) id = "sha256:" + id;
  Msg out = Msg::map({{"id", id},
                      {"names", std::move(names)},
                      {"digests", std::move(digests)},
                      {"bytes", image["Size"].number()},
                      {"pinned", pinned}});
  Json config = image["Config"];
  if (auto user = config["User"].text(); !user.empty()) out.set("user", user);
  if (auto signal = config["StopSignal"].text(); !signal.empty()) out.set("stop_signal", signal);
  if (auto volumes = config["Volumes"].keys(); !volumes.empty()) out.set("volumes", Msg::strings(volumes));
  return out;
}

}  // namespace lotse::engine_http
