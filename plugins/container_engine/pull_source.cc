#include "plugins/container_engine/pull_source.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "lotse/plugin.hpp"
#include "plugins/container_engine/image_archive.h"
#include "plugins/container_engine/process_file.h"
#include "plugins/container_engine/request.h"

namespace lotse::container_engine {
namespace {

constexpr size_t kCaMax = 512 << 10;

}  // namespace

PullSource pull_source(const Msg& request) {
  PullSource out;
  std::string asked = need_text(request, "image");
  out.image = out.name = full_image_name(asked);
  if (out.image.empty()) refuse("\"" + asked + "\" is no name of an image");
  const Msg& from = get_map(request, "from");
  if (std::string server = get_text(from, "server"); !server.empty()) {
    out.name = server + out.image.substr(out.image.find('/'));
    if (full_image_name(out.name) != out.name || out.name.find("//") != std::string::npos)
      refuse("\"" + server + "\" is no name of a registry");
  }
  out.registry = out.name.substr(0, out.name.find('/'));
  // It becomes the name of a file.
  if (out.registry[0] == '.' || out.registry[0] == '-' || out.registry.find('@') != std::string::npos) {
    refuse("\"" + out.registry + "\" is no name of a registry");
  }
  out.ca = get_text(from, "ca");
  out.insecure = get_bool(from, "insecure");
  if (!out.ca.empty() && (out.ca.size() > kCaMax || out.ca.find("-----BEGIN CERTIFICATE-----") == std::string::npos)) {
    refuse("the CA of " + out.registry + " is no certificate in PEM");
  }
  return out;
}

std::string tag_of_digest(const std::string& name) {
  constexpr std::string_view kMark = "@sha256:";
  size_t at = name.find(kMark);
  if (at == std::string::npos) return {};
  std::string repository = name.substr(0, at);
  size_t colon = repository.rfind(':'), slash = repository.rfind('/');
  if (colon != std::string::npos && slash != std::string::npos && colon > slash) repository.resize(colon);
  return repository + ":sha256-" + name.substr(at + kMark.size());
}

bool keep_file(const std::string& path, const std::string& text) {
  if (read_small_file(path).value_or("") == text) return false;
  if (text.empty()) {
    if (unlink(path.c_str()) == 0 || errno == ENOENT) return true;
    throw sdk::Failure(LOTSE_UNAVAILABLE, "cannot remove " + path + ": " + strerror(errno));
  }
  namespace fs = std::filesystem;
  std::error_code error;
  fs::path directory = fs::path(path).parent_path();
  if (fs::create_directories(directory, error)) fs::permissions(directory, fs::perms::owner_all, error);
  if (replace_file(path, text)) return true;
  throw sdk::Failure(LOTSE_UNAVAILABLE, "cannot write " + path + ": " + strerror(errno));
}

}  // namespace lotse::container_engine
