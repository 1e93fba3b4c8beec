// What images an archive holds: an OCI layout, what `docker save` writes, or both in one.
#pragma once
#include <string>
#include <vector>

#include "plugins/container_engine/tar_index.h"

namespace lotse::container_engine {

struct ArchiveBlob {
  std::string media_type;
  std::string digest;  // "sha256:..."
  uint64_t size = 0;
  const TarIndex::Entry* entry = nullptr;  // null: `bytes` are it
  std::string bytes;
};

struct ArchiveImage {
  std::vector<std::string> names;  // normalised: "docker.io/library/busybox:latest"
  ArchiveBlob manifest;
  ArchiveBlob config;
  std::vector<ArchiveBlob> layers;
  std::vector<std::string> diff_ids;  // the layers' digests when uncompressed
};

// Throws LOTSE_INVALID.
std::vector<ArchiveImage> images_of(const TarIndex& tar);

// As Docker and containerd complete a name. Empty: it is none.
std::string full_image_name(const std::string& name);

// What a snapshot of layers 0..n is called, for each n.
std::vector<std::string> chain_ids(const std::vector<std::string>& diff_ids);

}  // namespace lotse::container_engine
