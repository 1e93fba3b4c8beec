#include "plugins/container_engine/image_archive.h"

#include <sys/utsname.h>

#include <algorithm>
#include <cstring>

#include "lotse/error.hpp"
#include "plugins/container_engine/digest.h"
#include "plugins/container_engine/json.h"

namespace lotse::container_engine {
namespace {

constexpr uint64_t kJsonMax = 4 << 20;
constexpr size_t kImagesMax = 256, kLayersMax = 512;
constexpr int kIndexDepthMax = 3;
constexpr char kOciManifest[] = "application/vnd.oci.image.manifest.v1+json";
constexpr char kOciIndex[] = "application/vnd.oci.image.index.v1+json";
constexpr char kDockerManifest[] = "application/vnd.docker.distribution.manifest.v2+json";
constexpr char kDockerList[] = "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr char kDockerConfig[] = "application/vnd.docker.container.image.v1+json";
constexpr char kDockerLayer[] = "application/vnd.docker.image.rootfs.diff.tar";

[[noreturn]] void refuse(const std::string& why) {
  throw sdk::Failure(LOTSE_INVALID, "the image archive is wrong: " + why);
}

bool is_digest(const std::string& text) {
  constexpr std::string_view kPrefix = "sha256:";
  if (text.size() != kPrefix.size() + 64 || text.compare(0, kPrefix.size(), kPrefix) != 0) return false;
  return text.find_first_not_of("0123456789abcdef", kPrefix.size()) == std::string::npos;
}

std::string architecture() {
  utsname name{};
  uname(&name);
  std::string machine = name.machine;
  return machine == "x86_64" ? "amd64" : machine == "aarch64" ? "arm64" : machine;
}

std::vector<std::string> texts(const Json& array) {
  std::vector<std::string> out;
  for (auto& item : array.items()) out.push_back(item.text());
  return out;
}

// ---- OCI layout ----
ArchiveBlob blob_of(const TarIndex& tar, const Json& descriptor) {
  ArchiveBlob blob;
  blob.digest = descriptor["digest"].text();
  if (!is_digest(blob.digest)) refuse("a descriptor has no sha256 digest");
  blob.entry = tar.find("blobs/sha256/" + blob.digest.substr(7));
  if (blob.entry == nullptr) refuse("it lacks " + blob.digest);
  blob.size = blob.entry->size;
  if (descriptor["size"].number(-1) != static_cast<int64_t>(blob.size))
    refuse("the size of " + blob.digest + " differs");
  blob.media_type = descriptor["mediaType"].text();
  return blob;
}

std::string blob_json(const TarIndex& tar, const ArchiveBlob& blob) {
  if (blob.size > kJsonMax) refuse(blob.digest + " is too large");
  return tar.read(*blob.entry, 0, blob.size);
}

ArchiveImage image_of_manifest(const TarIndex& tar, ArchiveBlob blob) {
  ArchiveImage image;
  Json manifest = Json::parse(blob_json(tar, blob));
  if (blob.media_type.empty()) blob.media_type = kOciManifest;
  image.manifest = std::move(blob);
  image.config = blob_of(tar, manifest["config"]);
  auto layers = manifest["layers"].items();
  if (layers.size() > kLayersMax) refuse("it has too many layers");
  for (auto& layer : layers) image.layers.push_back(blob_of(tar, layer));
  image.diff_ids = texts(Json::parse(blob_json(tar, image.config))["rootfs"]["diff_ids"]);
  return image;
}

bool fits_here(const Json& descriptor) {
  Json platform = descriptor["platform"];
  if (platform.is_null()) return true;
  return platform["os"].text() == "linux" && platform["architecture"].text() == architecture();
}

void add_manifests(const TarIndex& tar, const Json& index, const std::string& name, int depth,
                   std::vector<ArchiveImage>* out) {
  if (depth > kIndexDepthMax) refuse("its indexes are nested too deeply");
  for (auto& descriptor : index["manifests"].items()) {
    if (!fits_here(descriptor)) continue;
    std::string own = descriptor["annotations"]["io.containerd.image.name"].text();
    if (own.empty()) own = descriptor["annotations"]["org.opencontainers.image.ref.name"].text();
    if (own.find('/') == std::string::npos && own.find(':') == std::string::npos) own.clear();  // a bare tag
    if (own.empty()) own = name;
    ArchiveBlob blob = blob_of(tar, descriptor);
    if (blob.media_type == kOciIndex || blob.media_type == kDockerList) {
      add_manifests(tar, Json::parse(blob_json(tar, blob)), own, depth + 1, out);
      continue;
    }
    if (out->size() >= kImagesMax) refuse("it holds too many images");
    out->push_back(image_of_manifest(tar, std::move(blob)));
    if (!own.empty()) out->back().names.push_back(own);
  }
}

// ---- docker save ----
ArchiveBlob summed(const TarIndex& tar, const std::string& path) {
  ArchiveBlob blob;
  blob.entry = tar.find(path);
  if (blob.entry == nullptr) refuse("it lacks " + path);
  Sha256 sum;
  tar.each_piece(*blob.entry, [&](std::string_view piece) { sum.add(piece); });
  blob.digest = "sha256:" + sum.hex();
  blob.size = blob.entry->size;
  return blob;
}

std::string descriptor_json(const ArchiveBlob& blob) {
  return "{\"mediaType\":\"" + blob.media_type + "\",\"digest\":\"" + blob.digest +
         "\",\"size\":" + std::to_string(blob.size) + "}";
}

ArchiveImage docker_image(const TarIndex& tar, const Json& item) {
  ArchiveImage image;
  image.config = summed(tar, item["Config"].text());
  image.config.media_type = kDockerConfig;
  image.diff_ids = texts(Json::parse(blob_json(tar, image.config))["rootfs"]["diff_ids"]);
  auto layers = texts(item["Layers"]);
  if (layers.size() > kLayersMax) refuse("it has too many layers");
  std::string list;
  for (auto& path : layers) {
    ArchiveBlob layer = summed(tar, path);
    bool gzip = tar.read(*layer.entry, 0, 2) == "\x1f\x8b";
    layer.media_type = std::string(kDockerLayer) + (gzip ? ".gzip" : "");
    list += (list.empty() ? "" : ",") + descriptor_json(layer);
    image.layers.push_back(std::move(layer));
  }
  image.manifest.media_type = kDockerManifest;
  image.manifest.bytes = "{\"schemaVersion\":2,\"mediaType\":\"" + std::string(kDockerManifest) +
                         "\",\"config\":" + descriptor_json(image.config) + ",\"layers\":[" + list + "]}";
  image.manifest.size = image.manifest.bytes.size();
  image.manifest.digest = "sha256:" + sha256_hex(image.manifest.bytes);
  image.names = texts(item["RepoTags"]);
  return image;
}

// The digest that the path of a configuration gives: "blobs/sha256/HEX" or "HEX.json".
std::string digest_in_path(std::string path) {
  if (path.ends_with(".json")) path.resize(path.size() - 5);
  return "sha256:" + path.substr(path.rfind('/') + 1);
}

void check(ArchiveImage& image) {
  if (image.names.empty()) refuse("it gives an image no name");
  for (auto& name : image.names) {
    std::string full = full_image_name(name);
    if (full.empty()) refuse("\"" + name + "\" is no name of an image");
    name = full;
  }
  if (image.diff_ids.size() != image.layers.size()) refuse("the configuration and the manifest differ in their layers");
  for (auto& id : image.diff_ids) {
    if (!is_digest(id)) refuse("a layer has no sha256 digest");
  }
}

}  // namespace

std::string full_image_name(const std::string& name) {
  if (name.empty() || name.size() > 512) return {};
  for (char c : name) {
    bool fine =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("._-/:@", c) != nullptr;
    if (!fine || c == '\0') return {};
  }
  std::string full = name;
  size_t slash = full.find('/');
  std::string first = full.substr(0, slash);
  bool has_host =
      slash != std::string::npos && (first.find_first_of(".:") != std::string::npos || first == "localhost");
  if (!has_host) full = (slash == std::string::npos ? "docker.io/library/" : "docker.io/") + full;
  size_t last = full.rfind('/');
  if (last + 1 >= full.size()) return {};
  if (full.find(':', last) == std::string::npos && full.find('@', last) == std::string::npos) full += ":latest";
  return full;
}

std::vector<std::string> chain_ids(const std::vector<std::string>& diff_ids) {
  std::vector<std::string> out;
  for (auto& id : diff_ids) out.push_back(out.empty() ? id : "sha256:" + sha256_hex(out.back() + " " + id));
  return out;
}

std::vector<ArchiveImage> images_of(const TarIndex& tar) {
  std::vector<ArchiveImage> images;
  bool oci = tar.find("index.json") != nullptr, docker = tar.find("manifest.json") != nullptr;
  if (!oci && !docker) refuse("it has neither index.json nor manifest.json");
  auto saved = docker ? Json::parse(tar.read("manifest.json", kJsonMax)).items() : std::vector<Json>();
  if (saved.size() > kImagesMax) refuse("it holds too many images");
  if (oci) {
    add_manifests(tar, Json::parse(tar.read("index.json", kJsonMax)), "", 0, &images);
    for (auto& image : images) {
      for (auto& item : saved) {
        if (digest_in_path(item["Config"].text()) != image.config.digest) continue;
        for (auto& name : texts(item["RepoTags"])) image.names.push_back(name);
      }
    }
  } else {
    for (auto& item : saved) images.push_back(docker_image(tar, item));
  }
  if (images.empty()) refuse("it holds no image for linux on " + architecture());
  for (auto& image : images) {
    check(image);
    std::sort(image.names.begin(), image.names.end());
    image.names.erase(std::unique(image.names.begin(), image.names.end()), image.names.end());
  }
  return images;
}

}  // namespace lotse::container_engine
