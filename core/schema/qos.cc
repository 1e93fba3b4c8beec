#include "core/schema/qos.h"

#include "core/object/quantity.h"

namespace lotse::schema {
namespace {

Quantity amount(const json::Value& v) {
  auto q = Quantity::parse(v.is_string() ? v.str() : v.number_text());
  return q.ok() && !q->negative() ? *q : Quantity();
}

struct Tally {
  bool any = false, all_limited = true;
};

void count(const json::Value& resources, Tally* t) {
  for (std::string_view name : {"cpu", "memory"}) {
    const Quantity request = amount(resources["requests"][name]), limit = amount(resources["limits"][name]);
    t->any |= !limit.is_zero() || !request.is_zero();
    if (limit.is_zero() || (!request.is_zero() && request.compare(limit) != 0)) t->all_limited = false;
  }
}

}  // namespace

std::string_view qos_class(const json::Value& pod) {
  Tally t;
  const json::Value& spec = pod["spec"];
  if (spec.has("resources")) {  // resources of the pod as a whole win
    count(spec["resources"], &t);
  } else {
    for (const json::Value& c : spec["containers"].items()) count(c["resources"], &t);
    for (const json::Value& c : spec["initContainers"].items()) count(c["resources"], &t);
  }
  return !t.any ? "BestEffort" : t.all_limited ? "Guaranteed" : "Burstable";
}

}  // namespace lotse::schema
