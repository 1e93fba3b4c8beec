#include "core/sched/quantities.h"

#include <algorithm>

#include "core/object/quantity.h"

namespace lotse::sched {
namespace {
using Amounts = std::map<std::string, int64_t>;

void add(Amounts* to, const Amounts& what) {
  for (const auto& [r, n] : what) (*to)[r] += n;
}
void raise(Amounts* to, const Amounts& what) {
  for (const auto& [r, n] : what) {
    int64_t& have = (*to)[r];
    have = std::max(have, n);
  }
}
Amounts read(const json::Value& list) {
  Amounts out;
  for (const auto& [resource, quantity] : list.members()) out[resource] = amount(resource, quantity);
  return out;
}
}  // namespace

int64_t amount(std::string_view resource, const json::Value& quantity) {
  std::string text(quantity.is_number() ? quantity.number_text() : quantity.str());
  auto q = Quantity::parse(text);
  if (!q.ok()) return 0;
  return resource == "cpu" ? q->milli() : q->value();
}

Amounts pod_requests(const json::Value& spec) {
  Amounts running, starting;
  for (const json::Value& c : spec["containers"].items()) add(&running, read(c["resources"]["requests"]));
  Amounts sidecars;
  for (const json::Value& c : spec["initContainers"].items()) {
    Amounts mine = read(c["resources"]["requests"]);
    if (c["restartPolicy"].str() == "Always") {
      add(&running, mine);
      add(&sidecars, mine);
      mine = sidecars;
    } else {
      add(&mine, sidecars);
    }
    raise(&starting, mine);
  }
  raise(&running, starting);
  // Resources of the pod as a whole take the place of the sum.
  for (const auto& [resource, n] : read(spec["resources"]["requests"])) running[resource] = n;
  add(&running, read(spec["overhead"]));
  return running;
}

}  // namespace lotse::sched
