// The core's reader and the SDK's agree on what is well-formed and on what it says, and both write it back alike.
#include <cstdlib>

#include "core/base/msgpack.h"
#include "lotse/msgpack.hpp"

using namespace lotse;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto core = MsgValue::parse(bytes);
  std::optional<sdk::Msg> plugin;
  try {
    plugin = sdk::Msg::parse(bytes);
  } catch (const sdk::Failure&) {
  }
  if (core.ok() != plugin.has_value()) std::abort();
  if (!plugin) return 0;
  std::string text = core->encode();
  if (plugin->encode() != text) std::abort();
  auto again = MsgValue::parse(text);
  if (!again.ok() || again->encode() != text) std::abort();
  return 0;
}
