// The way in of any object: whatever it is, it is refused or stored, and what is stored is a fixed point of defaulting.
//
// Mutated text is seldom JSON, so each input that is gets its tree mutated too, from a seed that its text gives.
#include <cstdlib>
#include <random>

#include "core/base/ids.h"
#include "core/schema/schema.h"

using namespace lotse;

namespace {

void run(json::Value value) {
  const auto* resource =
      schema::find_kind(std::as_const(value)["apiVersion"].str(), std::as_const(value)["kind"].str());
  if (!resource) return;
  // Rows are made of what is stored, but must not fall over anything.
  (void)schema::row(*resource, value, WallTime());
  const json::Value patch = std::as_const(value)["patch"];
  if (!schema::check_types(*resource, value).ok()) return;
  std::vector<std::string> unknown;
  schema::prune(*resource, &value, &unknown);
  if (auto merged = schema::strategic_merge(*resource->type, value, patch); merged.ok() && merged->is_object()) {
    if (json::depth(*merged) > json::kDepthMax) std::abort();
  }
  schema::apply_defaults(*resource, &value, nullptr);
  schema::prepare(*resource, &value, nullptr, schema::Operation::kCreate);
  (void)schema::validate(*resource, value, nullptr, schema::Operation::kCreate);
  if (!schema::check_types(*resource, value).ok()) std::abort();
  json::Value again = value;
  schema::prune(*resource, &again, nullptr);
  schema::apply_defaults(*resource, &again, &value);
  schema::prepare(*resource, &again, &value, schema::Operation::kUpdate);
  if (json::write(again) != json::write(value)) std::abort();
  for (auto operation : {schema::Operation::kUpdate, schema::Operation::kUpdateStatus, schema::Operation::kResize}) {
    (void)schema::validate(*resource, again, &value, operation);
  }
  const auto& stored = schema::storage(*resource);
  schema::convert(*resource, stored, &again);
}

constexpr int kTreesPerInput = 8;

json::Value odd_value(std::mt19937* random) {
  constexpr const char* kTexts[] = {"null",          "0",    "-1",           "70000",     "9223372036854775807",
                                    "1e3",           "\"\"", "\"a\"",        "\"A b/c\"", "\"-1Gi\"",
                                    "\"50%\"",       "[]",   "[null]",       "[{}]",      "{}",
                                    "{\"a\":\"b\"}", "true", "\"10.0.0.1\"", "\"a/b/c\""};
  return *json::parse(kTexts[(*random)() % std::size(kTexts)]);
}

// Walks down at random and replaces, removes or doubles what it finds.
void mutate(json::Value* value, std::mt19937* random) {
  const bool stop = value->empty() || (*random)() % 6 == 0;
  if (stop) {
    *value = odd_value(random);
  } else if (value->is_object()) {
    auto& member = value->object_members()[(*random)() % value->size()];
    if ((*random)() % 12 == 0)
      value->erase(std::string(member.first));
    else
      mutate(&member.second, random);
  } else {
    auto& items = value->array_items();
    const size_t at = (*random)() % items.size();
    if ((*random)() % 6 == 0)
      items.push_back(json::Value(items[at]));
    else
      mutate(&items[at], random);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto value = json::parse({reinterpret_cast<const char*>(data), size});
  if (!value.ok() || !value->is_object()) return 0;
  std::mt19937 random(static_cast<uint32_t>(hash64({reinterpret_cast<const char*>(data), size})));
  for (int i = 0; i < kTreesPerInput; ++i) {
    json::Value tree = *value;
    for (uint32_t n = random() % 4; n > 0 && i > 0; --n) mutate(&tree, &random);
    if (tree.is_object()) run(std::move(tree));
  }
  return 0;
}
