// What the runtime says of itself, and images by way of CRI. Import is image_import.cc.
#include "lotse/runtime_containerd/containerd.pb.h"
#include "plugins/runtime_containerd/cri_answer.h"
#include "plugins/runtime_containerd/image_import.h"
#include "plugins/runtime_containerd/steps.h"

namespace lotse::runtime_containerd {
namespace {

constexpr int64_t kInfoWaitNs = 2'000'000'000;

std::string conditions_text(const cri::RuntimeStatus& status) {
  std::string text;
  for (auto& condition : status.conditions()) {
    if (condition.status()) continue;
    text += (text.empty() ? "" : "; ") + condition.type() + ": " + condition.reason() + " " + condition.message();
  }
  return text;
}

bool runtime_ready(const cri::RuntimeStatus& status) {
  for (auto& condition : status.conditions()) {
    if (condition.type() == "RuntimeReady") return condition.status();
  }
  return false;
}

}  // namespace

Co<Msg> info_step(Engine& engine, Msg, int64_t deadline) {
  Msg answer = Msg::map({{"name", "containerd"},
                         {"version", ""},
                         {"network", "own"},
                         {"ready", false},
                         {"cgroup_driver", engine.settings.systemd_cgroup ? "systemd" : "cgroupfs"}});
  if (engine.settings.managed) answer.set("root", engine.settings.data_dir + "/root");
  // Who asks how the runtime is does not want to wait long for it.
  int64_t until = std::min(deadline, Reactor::now_ns() + kInfoWaitNs);
  try {
    co_await engine.ready(until);
    auto version = co_await engine.call<cri::VersionResponse>(method::kVersion, cri::VersionRequest(), until);
    answer.set("name", version.runtime_name());
    answer.set("version", version.runtime_version());
    auto status = co_await engine.call<cri::StatusResponse>(method::kStatus, cri::StatusRequest(), until);
    // The network's readiness is the business of who gives us the CNI list: without one yet, host network pods can run.
    answer.set("ready", runtime_ready(status.status()));
    if (auto text = conditions_text(status.status()); !text.empty()) answer.set("message", text);
  } catch (const sdk::Failure& failure) {
    if (failure.code() == LOTSE_CANCELLED) throw;
    answer.set("message", std::string(failure.what()));
  }
  co_return answer;
}

// Our own pause image is pinned whether this containerd knows such a thing or not: without it no pod starts.
static Msg described(const Engine& engine, const cri::Image& image) {
  Msg answer = image_answer(image);
  for (auto& name : image.repo_tags()) {
    if (name == engine.settings.pause_image) answer.set("pinned", true);
  }
  return answer;
}

Co<Msg> image_status_step(Engine& engine, Msg request, int64_t deadline) {
  cri::ImageStatusRequest wanted;
  wanted.mutable_image()->set_image(need_text(request, "image"));
  wanted.set_verbose(true);
  co_await engine.ready(deadline);
  auto found = co_await engine.call<cri::ImageStatusResponse>(method::kImageStatus, wanted, deadline);
  if (!found.has_image()) throw sdk::Failure(LOTSE_NOT_FOUND, "there is no image " + wanted.image().image());
  Msg answer = described(engine, found.image());
  auto info = found.info().find("info");
  if (info != found.info().end()) add_image_details(answer, info->second);
  co_return answer;
}

Co<Msg> image_list_step(Engine& engine, Msg, int64_t deadline) {
  co_await engine.ready(deadline);
  auto found = co_await engine.call<cri::ListImagesResponse>(method::kListImages, cri::ListImagesRequest(), deadline);
  // What was imported from a file is nowhere to be pulled from: it is pinned by a label, which containerd 1.6's CRI does not tell.
  ctrd::ListImagesRequest pinned;
  pinned.add_filters("labels.\"" + std::string(kPinnedLabel) + "\"==pinned");
  auto kept = co_await engine.call<ctrd::ListImagesResponse>(method::kImageList, pinned, deadline);
  Msg items = Msg::array();
  for (auto& image : found.images()) {
    Msg item = described(engine, image);
    for (auto& name : image.repo_tags()) {
      for (auto& other : kept.images()) {
        if (other.name() == name) item.set("pinned", true);
      }
    }
    items.push(std::move(item));
  }
  co_return Msg::map({{"items", std::move(items)}});
}

Co<Msg> image_remove_step(Engine& engine, Msg request, int64_t deadline) {
  cri::RemoveImageRequest wanted;
  wanted.mutable_image()->set_image(need_text(request, "image"));
  co_await engine.ready(deadline);
  auto removed = co_await engine.try_call<cri::Empty>(method::kRemoveImage, wanted, deadline);
  if (!removed.ok() && removed.code() != LOTSE_NOT_FOUND) removed.failure().raise();
  co_return Msg::map();
}

Co<Msg> image_fs_step(Engine& engine, Msg, int64_t deadline) {
  co_await engine.ready(deadline);
  auto found = co_await engine.call<cri::ImageFsInfoResponse>(method::kImageFsInfo, cri::Empty(), deadline);
  if (found.image_filesystems().empty())
    throw sdk::Failure(LOTSE_UNAVAILABLE, "containerd has not measured its images yet");
  auto& fs = found.image_filesystems(0);
  co_return Msg::map({{"path", fs.fs_id().mountpoint()},
                      {"used_bytes", fs.used_bytes().value()},
                      {"inodes_used", fs.inodes_used().value()}});
}

}  // namespace lotse::runtime_containerd
