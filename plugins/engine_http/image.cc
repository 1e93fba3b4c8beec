// What the engine says of itself, and its images. Import is image_load.cc.
#include <unistd.h>

#include "plugins/container_engine/image_archive.h"
#include "plugins/container_engine/pull_source.h"
#include "plugins/engine_http/runtime_steps.h"

namespace lotse::engine_http {
namespace {

constexpr int64_t kInfoWaitNs = 2'000'000'000;

Msg described(const HttpEngine& engine, const Json& image) {
  Msg answer = image_answer(image, engine.settings.pause_image);
  if (access(engine.imported_file(answer["id"].str()).c_str(), F_OK) == 0) answer.set("pinned", true);
  return answer;
}

Co<Outcome<Msg>> find(HttpEngine& engine, std::string image, int64_t deadline) {
  auto answer = co_await engine.try_call("GET", "/images/" + percent_encode(image) + "/json", deadline);
  if (!answer.ok() && answer.code() == LOTSE_NOT_FOUND && !tag_of_digest(image).empty()) {  // it came from a mirror
    answer = co_await engine.try_call(
        "GET", "/images/" + percent_encode(tag_of_digest(full_image_name(image))) + "/json", deadline);
  }
  if (!answer.ok()) co_return answer.failure();
  co_return described(engine, answer->json());
}

}  // namespace

Co<Msg> info_step(HttpEngine& engine, Msg, int64_t deadline) {
  Msg answer = Msg::map({{"name", engine.settings.name}, {"version", ""}, {"network", "own"}, {"ready", false}});
  // Who asks how the runtime is does not want to wait long for it.
  int64_t until = std::min(deadline, Reactor::now_ns() + kInfoWaitNs);
  try {
    co_await engine.ready(until);
    Msg facts = co_await engine.about(until);
    for (auto& [key, value] : facts.members()) answer.set(key, value);
    answer.set("ready", true);
  } catch (const sdk::Failure& failure) {
    if (failure.code() == LOTSE_CANCELLED) throw;
    answer.set("message", std::string(failure.what()));
  }
  co_return answer;
}

Co<Msg> image_status_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string image = need_text(request, "image");
  co_await engine.ready(deadline);
  auto found = co_await find(engine, image, deadline);
  if (!found.ok() && found.code() == LOTSE_NOT_FOUND) throw sdk::Failure(LOTSE_NOT_FOUND, "there is no image " + image);
  co_return std::move(found).take();
}

Co<Msg> image_list_step(HttpEngine& engine, Msg, int64_t deadline) {
  co_await engine.ready(deadline);
  auto answer = co_await engine.call("GET", "/images/json", deadline);
  Json listed = answer.json();
  Msg items = Msg::array();
  for (auto& image : listed.items()) items.push(described(engine, image));
  co_return Msg::map({{"items", std::move(items)}});
}

// All of its names: an engine would otherwise keep the image under the others.
Co<Msg> image_remove_step(HttpEngine& engine, Msg request, int64_t deadline) {
  std::string image = need_text(request, "image");
  co_await engine.ready(deadline);
  auto found = co_await find(engine, image, deadline);
  if (!found.ok() && found.code() == LOTSE_NOT_FOUND) co_return Msg::map();
  Msg facts = std::move(found).take();
  std::vector<std::string> names = facts["names"].as_strings();
  names.push_back(facts["id"].str());  // last: what came from a mirror may have a name that is not told
  for (auto& name : names) {
    auto removed = co_await engine.try_call("DELETE", "/images/" + percent_encode(name), deadline);
    if (!removed.ok() && removed.code() != LOTSE_NOT_FOUND) removed.failure().raise();
  }
  keep_file(engine.imported_file(facts["id"].str()), "");
  co_return Msg::map();
}

// Layers that several images share are counted with each.
Co<Msg> image_fs_step(HttpEngine& engine, Msg, int64_t deadline) {
  co_await engine.ready(deadline);
  Msg facts = co_await engine.about(deadline);
  auto answer = co_await engine.call("GET", "/images/json", deadline);
  Json listed = answer.json();
  int64_t used = 0;
  for (auto& image : listed.items()) used += image["Size"].number();
  co_return Msg::map({{"path", facts["root"].str()}, {"used_bytes", used}});
}

}  // namespace lotse::engine_http
