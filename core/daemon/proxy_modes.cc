#include "core/daemon/proxy_modes.h"

#include <algorithm>
#include <sstream>

#include "core/base/file.h"
#include "core/base/log.h"
#include "core/plugin/instance.h"

namespace lotse::daemon {
namespace {
constexpr Duration kPatience = std::chrono::seconds(60);
}

ProxyModes::ProxyModes(Base& base, std::string now) : base_(base), now_(std::move(now)), file_(base.dir() + "/worker/proxy-mode") {}

Status ProxyModes::write(const std::vector<std::string>& names) const {
  std::string text;
  for (const auto& name : names) text += name + "\n";
  return write_file_atomically(file_, text);
}

Status ProxyModes::begin() {
  auto text = read_file(file_);
  std::istringstream lines(text.ok() ? *text : std::string());
  for (std::string name; std::getline(lines, name);)
    if (!name.empty() && name != now_) former_.push_back(name);
  std::vector<std::string> all = former_;
  all.push_back(now_);
  return write(all);
}

Status ProxyModes::remove_former() {
  Status first;
  std::erase_if(former_, [&](const std::string& name) {
    auto plugin = base_.plugins.create_proxy(base_.host, base_.config, name);
    Status status = plugin.status();
    if (plugin.ok()) {
      plugin::CallOptions options;
      options.timeout = kPatience;
      status = (*plugin)->call_and_wait(&lotse_proxy::remove_all, MsgValue::map(), options).status();
    }
    if (status.ok()) log::info("proxy.switched", "the rules of the former proxy mode are gone", {{"former", name}, {"mode", now_}});
    else first = first.ok() ? status : first;
    return status.ok();
  });
  std::vector<std::string> left = former_;
  left.push_back(now_);
  Status written = write(left);
  return first.ok() ? written : first;
}

}  // namespace lotse::daemon
