// Where an image is pulled from: what `from` of image_pull says. The image gets its own name, whichever registry it came from.
#pragma once
#include <string>

#include "lotse/msgpack.hpp"

namespace lotse::container_engine {
using sdk::Msg;

struct PullSource {
  std::string image;     // its full name
  std::string name;      // what it is called in the registry that is asked
  std::string registry;  // host[:port] of that one
  std::string ca;        // PEM that its certificate is checked with; empty: the machine's
  bool insecure = false;

  bool is_mirror() const { return name != image; }
};

// Throws LOTSE_INVALID.
PullSource pull_source(const Msg& request);

// "registry/path:sha256-HEX" for "registry/path@sha256:HEX": the tag that stands for a digest where an engine cannot be told that
// an image has one in another registry. Empty: the name has no digest.
std::string tag_of_digest(const std::string& name);

// Makes the file hold the text, or be gone where there is none, 0600 with directories 0700. Whether that was a change; throws.
bool keep_file(const std::string& path, const std::string& text);

}  // namespace lotse::container_engine
