// image_import: an archive's blobs into containerd's content store, its layers into snapshots, its names into the image
// store, all under a lease, so that garbage collection takes nothing away half-way.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "plugins/runtime_containerd/engine.h"

namespace lotse::runtime_containerd {

// What newer releases of containerd's CRI know as pinned: such an image is not collected.
inline constexpr char kPinnedLabel[] = "io.cri-containerd.pinned";

inline constexpr int64_t kImportTimeoutNs = int64_t{30} * 60 * 1'000'000'000;

// [worker] Blocks. Returns the names of the images once CRI knows them. Throws sdk::Failure.
std::vector<std::string> import_archive(Engine& engine, const std::string& path, int64_t deadline_ns,
                                        const std::function<bool()>& cancelled);

}  // namespace lotse::runtime_containerd
