#include "core/agent/image_use.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/agent/image_credentials.h"
#include "core/agent/sandbox_config.h"

namespace lotse::agent {
namespace {

constexpr size_t kShortId = 12;

std::string hex_of(const std::string& id) {
  return id.substr(id.find(':') + 1);
}

std::string use_text(const ImageUse& image) {
  std::string out = image.containers.empty() ? ""
                                             : fmt::format("{} container{}", image.containers.size(),
                                                           image.containers.size() == 1 ? "" : "s");
  if (image.pinned) out += out.empty() ? "pinned" : ", pinned";
  return out.empty() ? "-" : out;
}

}  // namespace

std::vector<ImageUse> image_uses(const MsgValue& images, const MsgValue& containers, const std::string& pause_image) {
  std::map<std::string, std::vector<std::string>> users;
  for (const auto& c : containers["items"].items()) {
    const auto& labels = c["labels"];
    users[std::string(c["image_id"].as_text())].push_back(
        fmt::format("{}/{}/{}", labels[kLabelNamespace].as_text(), labels[kLabelPod].as_text(), c["name"].as_text()));
  }
  std::vector<ImageUse> out;
  for (const auto& image : images["items"].items()) {
    ImageUse use{std::string(image["id"].as_text()), image["names"].as_strings(),
                 image["digests"].as_strings(),      image["bytes"].as_int(),
                 image["pinned"].as_bool(),          {}};
    use.pinned |= std::find(use.names.begin(), use.names.end(), pause_image) != use.names.end();
    auto add = [&](const std::string& key) {
      if (auto it = users.find(key); it != users.end())
        use.containers.insert(use.containers.end(), it->second.begin(), it->second.end());
    };
    add(use.id);
    for (const auto& digest : use.digests) add(digest);
    out.push_back(std::move(use));
  }
  return out;
}

Result<ImageUse> find_image(const std::vector<ImageUse>& images, const std::string& wanted) {
  auto normal = normal_image(wanted);
  std::vector<const ImageUse*> by_id;
  for (const auto& image : images) {
    for (const auto* list : {&image.names, &image.digests}) {
      for (const auto& name : *list) {
        if (name == wanted || (normal.ok() && name == *normal)) return image;
      }
    }
    if (image.id == wanted || hex_of(image.id) == wanted) return image;
    if (hex_of(wanted).size() >= kShortId && hex_of(image.id).starts_with(hex_of(wanted))) by_id.push_back(&image);
  }
  if (by_id.size() == 1) return *by_id[0];
  if (by_id.empty())
    return Status(Reason::kNotFound,
                  "there is no image " + wanted + " on this node; lotse image list shows those that there are");
  return Status(Reason::kInvalid, wanted + " is the beginning of several images' ids");
}

Status may_remove(const ImageUse& image) {
  if (!image.containers.empty()) {
    std::string more = image.containers.size() > 1 ? fmt::format(" and {} more", image.containers.size() - 1) : "";
    return Status(Reason::kConflict,
                  fmt::format("{} is in use by the container {}{}", image.name(), image.containers[0], more));
  }
  if (image.pinned)
    return Status(Reason::kConflict,
                  image.name() + " is pinned: it was imported from a file, or pods cannot be made without it");
  return {};
}

std::string size_text(int64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  double amount = static_cast<double>(bytes);
  size_t unit = 0;
  for (; amount >= 1000 && unit + 1 < kUnits.size(); ++unit) amount /= 1000;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", amount, kUnits[unit]);
}

std::string image_table(std::vector<ImageUse> images) {
  std::sort(images.begin(), images.end(),
            [](const ImageUse& a, const ImageUse& b) { return std::tie(b.bytes, a.id) < std::tie(a.bytes, b.id); });
  size_t width = 4;
  for (const auto& image : images)
    for (const auto& name : image.names) width = std::max(width, name.size());
  std::string out = fmt::format("{:<{}}  {:<12}  {:>9}  {}\n", "NAME", width, "ID", "SIZE", "USE");
  for (const auto& image : images) {
    std::vector<std::string> names = image.names.empty() ? std::vector<std::string>{"<none>"} : image.names;
    for (const auto& name : names)
      out += fmt::format("{:<{}}  {:<12}  {:>9}  {}\n", name, width, hex_of(image.id).substr(0, kShortId),
                         size_text(image.bytes), use_text(image));
  }
  return out;
}

}  // namespace lotse::agent
