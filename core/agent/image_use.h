// What the images of a node are there for: the same for the collection of unused ones and for the operator.
#pragma once
#include <string>
#include <vector>

#include "core/base/msgpack.h"
#include "core/base/result.h"

namespace lotse::agent {

struct ImageUse {
  std::string id;
  std::vector<std::string> names, digests;
  int64_t bytes = 0;
  bool pinned = false;                  // imported from a file, or what sandboxes are made of
  std::vector<std::string> containers;  // "namespace/pod/container": those that there are, also ended ones

  bool removable() const { return !pinned && containers.empty(); }
  std::string name() const { return names.empty() ? id : names.front(); }
};

// From image_list and container_list.
std::vector<ImageUse> image_uses(const MsgValue& images, const MsgValue& containers, const std::string& pause_image);

// By a name, an id or the first twelve characters of one at least. kNotFound; kInvalid: it fits several.
Result<ImageUse> find_image(const std::vector<ImageUse>& images, const std::string& wanted);
// Ok, or why it stays.
Status may_remove(const ImageUse& image);

// For people: a heading and a line an image, the biggest first.
std::string image_table(std::vector<ImageUse> images);
std::string size_text(int64_t bytes);  // "1.9 MB"

}  // namespace lotse::agent
