// What CRI answers, in the shapes of the ABI.
#pragma once
#include <cstdint>
#include <string>

#include "lotse/runtime_containerd/cri.pb.h"
#include "plugins/container_engine/request.h"
#include "plugins/runtime_containerd/names.h"

namespace lotse::runtime_containerd {

Msg sandbox_answer(const cri::PodSandboxStatus& status, uint32_t pid, const std::string& netns);
// What a list says of a sandbox; the addresses are not in it.
Msg sandbox_answer(const cri::PodSandbox& sandbox, uint32_t pid);
Msg container_answer(const cri::ContainerStatus& status, uint32_t pid);
Msg stats_answer(const cri::ContainerStats& stats);
Msg image_answer(const cri::Image& image);
// Adds what only the verbose status knows: the stop signal and the volumes.
void add_image_details(Msg& answer, const std::string& info_json);
// The path of the network namespace in the verbose status of a sandbox; empty: the host's, or unknown.
std::string netns_of(const std::string& info_json);

}  // namespace lotse::runtime_containerd
