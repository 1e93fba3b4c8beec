#include "plugins/runtime_hollow/pods.h"

#include <atomic>
#include <cinttypes>
#include <cstdio>

#include "lotse/request.hpp"

namespace lotse::runtime_hollow {
namespace {

// An address that no other hollow pod of this process has, of 100.64.0.0/10 (RFC 6598), which is nobody's.
std::string fresh_ip() {
  static std::atomic<uint32_t> count{1};
  constexpr uint32_t kBase = 100u << 24 | 64u << 16, kSize = 1u << 22;
  uint32_t address = kBase + count++ % kSize;
  char text[16];
  snprintf(text, sizeof text, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
  return text;
}

// FNV-1a: no secret, only the look of a digest.
uint64_t hash_of(std::string_view text, uint64_t seed) {
  uint64_t h = 14695981039346656037ull ^ seed;
  for (char c : text) h = (h ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  return h;
}

std::string hex64(std::string_view text) {
  char out[65];
  for (unsigned i = 0; i < 4; i++) snprintf(out + 16 * i, 17, "%016" PRIx64, hash_of(text, i * 0x9e3779b97f4a7c15ull));
  return out;
}

std::string sandbox_key(const Msg& request) {
  return sdk::need_text(request, "uid") + "/" + sdk::need_text(request, "namespace") + "/" +
         sdk::need_text(request, "name") + "/" + std::to_string(sdk::need_int(request, "attempt", 0, UINT32_MAX));
}

Msg texts(const Msg& request, const char* key) {
  Msg out = Msg::map();
  for (auto& [name, value] : sdk::get_text_map(request, key)) out.set(name, value);
  return out;
}

}  // namespace

std::string image_id(const std::string& name) {
  if (name.rfind("sha256:", 0) == 0) return name;
  return "sha256:" + hex64(name);
}

Msg Sandbox::status() const {
  return Msg::map({{"id", id},
                   {"uid", uid},
                   {"namespace", name_space},
                   {"name", name},
                   {"attempt", attempt},
                   {"state", ready ? "ready" : "notready"},
                   {"created", created},
                   {"ips", Msg::array({ip})},
                   {"labels", labels},
                   {"annotations", annotations}});
}

Msg Container::status() const {
  const char* word = state == kRunning ? "running" : state == kExited ? "exited" : "created";
  Msg out = Msg::map({{"id", id},
                      {"sandbox", sandbox},
                      {"name", name},
                      {"attempt", attempt},
                      {"state", word},
                      {"created", created},
                      {"started", started},
                      {"finished", finished},
                      {"exit_code", exit_code},
                      {"image", image},
                      {"image_id", image_id(image)},
                      {"log_path", log_path},
                      {"labels", labels},
                      {"annotations", annotations}});
  if (!reason.empty()) out.set("reason", reason);
  if (!message.empty()) out.set("message", message);
  if (!resources.is_nil()) out.set("resources", resources);
  return out;
}

std::string Pods::fresh_id(char kind) {
  return hex64(prefix_ + kind + std::to_string(++count_));
}

Sandbox& Pods::sandbox(const Msg& request, int64_t now, bool* made) {
  std::string key = sandbox_key(request);
  *made = false;
  if (auto it = sandbox_keys_.find(key); it != sandbox_keys_.end()) return sandboxes_.at(it->second);
  Sandbox sandbox;
  sandbox.id = fresh_id('s');
  sandbox.uid = sdk::need_text(request, "uid");
  sandbox.name_space = sdk::need_text(request, "namespace");
  sandbox.name = sdk::need_text(request, "name");
  sandbox.attempt = sdk::get_int(request, "attempt");
  sandbox.created = now;
  sandbox.ip = fresh_ip();
  sandbox.labels = texts(request, "labels");
  sandbox.annotations = texts(request, "annotations");
  *made = true;
  sandbox_keys_.emplace(key, sandbox.id);
  std::string id = sandbox.id;
  return sandboxes_.emplace(id, std::move(sandbox)).first->second;
}

Container& Pods::container(const Msg& request, const Script& script, int64_t now, bool* made) {
  Container c;
  c.sandbox = sdk::need_text(request, "sandbox");
  c.name = sdk::need_text(request, "name");
  c.attempt = sdk::need_int(request, "attempt", 0, UINT32_MAX);
  c.image = sdk::need_text(request, "image");
  const Sandbox& sandbox = need_sandbox(c.sandbox);
  std::string key = c.sandbox + "/" + c.name + "/" + std::to_string(c.attempt);
  *made = false;
  if (auto it = container_keys_.find(key); it != container_keys_.end()) return containers_.at(it->second);
  c.id = fresh_id('c');
  c.created = now;
  c.labels = texts(request, "labels");
  c.annotations = texts(request, "annotations");
  c.log_path = sdk::get_text(request, "log_path");
  if (!request["resources"].is_nil()) c.resources = sdk::get_map(request, "resources");
  c.rule = script.find(sandbox.name_space, sandbox.name, c.name);
  *made = true;
  container_keys_.emplace(key, c.id);
  std::string id = c.id;
  return containers_.emplace(id, std::move(c)).first->second;
}

Sandbox* Pods::find_sandbox(const std::string& id) {
  auto it = sandboxes_.find(id);
  return it == sandboxes_.end() ? nullptr : &it->second;
}

Container* Pods::find_container(const std::string& id) {
  auto it = containers_.find(id);
  return it == containers_.end() ? nullptr : &it->second;
}

Sandbox& Pods::need_sandbox(const std::string& id) {
  if (Sandbox* found = find_sandbox(id)) return *found;
  throw sdk::Failure(LOTSE_NOT_FOUND, "there is no sandbox " + id);
}

Container& Pods::need_container(const std::string& id) {
  if (Container* found = find_container(id)) return *found;
  throw sdk::Failure(LOTSE_NOT_FOUND, "there is no container " + id);
}

bool Pods::finish(Container& container, int code, const std::string& reason, int64_t now) {
  bool was_running = container.state == Container::kRunning;
  if (container.state == Container::kExited) return false;
  container.run++;
  if (!was_running) {  // one that was never started stays as it is
    container.state = Container::kCreated;
    return false;
  }
  container.state = Container::kExited;
  container.finished = std::max(now, container.started);
  container.exit_code = code;
  container.reason = !reason.empty() ? reason : code == 0 ? "Completed" : "Error";
  return true;
}

void Pods::erase_container(const std::string& id) {
  Container& c = containers_.at(id);
  container_keys_.erase(c.sandbox + "/" + c.name + "/" + std::to_string(c.attempt));
  containers_.erase(id);
}

void Pods::erase_sandbox(const std::string& id) {
  std::erase_if(sandbox_keys_, [&](auto& entry) { return entry.second == id; });
  sandboxes_.erase(id);
}

}  // namespace lotse::runtime_hollow
