// A label selector that parses parses again from its own text.
#include <cstdlib>

#include "core/object/selector.h"

using namespace lotse;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto s = LabelSelector::parse(text); s.ok()) {
    auto again = LabelSelector::parse(s->text());
    const Labels labels = {{"app", "web"}, {"n", "5"}};
    if (!again.ok() || again->matches(labels) != s->matches(labels)) std::abort();
  }
  (void)FieldSelector::parse(text);
  return 0;
}
