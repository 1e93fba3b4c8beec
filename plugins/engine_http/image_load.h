// image_import: an archive is read and checked by us, and given to the engine in the one form that all of them take,
// that of `docker save`; nothing is unpacked.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "plugins/container_engine/image_archive.h"
#include "plugins/engine_http/http_engine.h"

namespace lotse::engine_http {

// Blocks the worker thread that it is called on. The images' names.
std::vector<std::string> load_archive(HttpEngine& engine, const std::string& path, int64_t deadline_ns,
                                      const std::function<bool()>& cancelled);

// ---- its parts ----
// Every blob is what its digest says, or LOTSE_INVALID.
void check_digests(const TarIndex& tar, const std::vector<ArchiveImage>& images);

struct TarPart {
  std::string name;
  const TarIndex::Entry* entry = nullptr;  // null: `bytes` are it
  std::string bytes;
  uint64_t size() const { return entry != nullptr ? entry->size : bytes.size(); }
};
std::vector<TarPart> docker_archive_parts(const TarIndex& tar, const std::vector<ArchiveImage>& images);
std::string tar_header(const std::string& name, uint64_t size);
// The size of the archive that these make, with its end.
uint64_t tar_size(const std::vector<TarPart>& parts);

}  // namespace lotse::engine_http
