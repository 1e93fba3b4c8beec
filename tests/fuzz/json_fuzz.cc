// What parses is written, parses again to the same, and is written the same; an object's header never fails on it.
#include <cstdlib>

#include "core/object/object.h"

using namespace lotse;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string> duplicates;
  auto value = json::parse({reinterpret_cast<const char*>(data), size}, &duplicates);
  if (!value.ok()) return 0;
  const std::string text = json::write(*value);
  auto again = json::parse(text);
  if (!again.ok() || !(*again == *value) || json::write(*again) != text) std::abort();
  (void)Object::from_bytes(Bytes(text), 1);
  if (!value->is_object()) return 0;
  auto object = Object::from_value(*value, 7);
  if (object->text() != json::write(object->value())) std::abort();
  auto patched = json::apply_json_patch(*value, (*value)["patch"]);
  if (patched.ok() && json::depth(*patched) > json::kDepthMax) std::abort();
  (void)json::merge_patch(*value, (*value)["patch"]);
  return 0;
}
