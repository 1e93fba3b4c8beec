// What a pod refers to: config maps and secrets of its own namespace, by volumes, env, envFrom and imagePullSecrets.
#pragma once
#include <compare>
#include <map>
#include <set>
#include <string>

#include "core/object/object.h"

namespace lotse::agent {

enum class RefKind : uint8_t { kConfigMap, kSecret };
struct RefKey {
  RefKind kind;
  std::string name;
  auto operator<=>(const RefKey&) const = default;
};
std::set<RefKey> references_of(const json::Value& pod);

// Those of one pod as they are now: null is known not to exist, a key that is missing was not read yet.
using Referenced = std::map<RefKey, ObjectPtr>;

}  // namespace lotse::agent
