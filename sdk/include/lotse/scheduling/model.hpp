// SPDX-License-Identifier: Apache-2.0
//
// What a scheduling policy knows of a pod and a node, in C++: owned copies of lotse_sched_pod and lotse_sched_node.
//
// Pods made from one template differ in hardly more than their names. What they share is kept once, as a Shape; all
// that has to be found out about a template is found out once per Shape.
//
// Threads: none of this is shared; a policy lives on the one thread that the host calls it on.
#pragma once
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lotse/abi/scheduler.h"

namespace lotse::scheduling {

inline std::string_view view(lotse_bytes b) {
  return {static_cast<const char*>(b.data), b.size};
}
inline lotse_bytes bytes(std::string_view s) {
  return {s.data(), s.size()};
}

using Labels = std::vector<std::pair<std::string, std::string>>;  // sorted by key

inline Labels make_labels(const lotse_pair* pairs, size_t count) {
  Labels out;
  out.reserve(count);
  for (size_t i = 0; i < count; ++i) out.emplace_back(view(pairs[i].key), view(pairs[i].value));
  std::sort(out.begin(), out.end());
  return out;
}

inline const std::string* label(const Labels& labels, std::string_view key) {
  auto it = std::lower_bound(labels.begin(), labels.end(), key,
                             [](const auto& l, std::string_view k) { return l.first < k; });
  return it != labels.end() && it->first == key ? &it->second : nullptr;
}

struct Requirement {
  std::string key;
  uint32_t op = LOTSE_OP_IN;
  bool field = false;
  std::vector<std::string> values;

  bool holds(const std::string* value) const {
    switch (op) {
      case LOTSE_OP_IN:
        return value && std::find(values.begin(), values.end(), *value) != values.end();
      case LOTSE_OP_NOT_IN:
        return !value || std::find(values.begin(), values.end(), *value) == values.end();
      case LOTSE_OP_EXISTS:
        return value != nullptr;
      case LOTSE_OP_DOES_NOT_EXIST:
        return value == nullptr;
      case LOTSE_OP_GT:
      case LOTSE_OP_LT: {
        int64_t have = 0, want = 0;
        if (!value || values.size() != 1 || !number(*value, &have) || !number(values[0], &want)) return false;
        return op == LOTSE_OP_GT ? have > want : have < want;
      }
      default:
        return false;  // an operator of a later minor: nothing is known to match
    }
  }

 private:
  static bool number(std::string_view text, int64_t* out) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
  }
};

struct Selector {  // all must hold
  std::vector<Requirement> requirements;
  bool matches(const Labels& labels) const {
    return std::all_of(requirements.begin(), requirements.end(),
                       [&](const Requirement& r) { return r.holds(label(labels, r.key)); });
  }
};

inline Selector make_selector(const lotse_term& term) {
  Selector out;
  for (size_t i = 0; i < term.count; ++i) {
    const lotse_requirement& r = term.requirements[i];
    Requirement& made = out.requirements.emplace_back();
    made.key = view(r.key);
    made.op = r.op;
    made.field = r.field != 0;
    for (size_t v = 0; v < r.value_count; ++v) made.values.emplace_back(view(r.values[v]));
  }
  return out;
}

struct NodeTerm {
  Selector selector;
  int32_t weight = 0;
};

struct PodTerm {
  std::vector<std::string> namespaces;  // never empty: the pod's own if it names none
  Selector selector;
  bool selector_set = false;
  int32_t weight = 0;  // 0: required
  std::string topology_key;
  bool matches(std::string_view ns, const Labels& labels) const {
    return selector_set && std::find(namespaces.begin(), namespaces.end(), ns) != namespaces.end() &&
           selector.matches(labels);
  }
};

struct SpreadConstraint {
  std::string topology_key;
  Selector selector;
  bool selector_set = false;
  int32_t max_skew = 1, min_domains = 0;
  bool required = false, honor_affinity = true, honor_taints = false;
};

struct Toleration {
  std::string key, value;
  bool exists = false;
  uint32_t effect = 0;
};

struct Taint {
  std::string key, value;
  uint32_t effect = 0;
};

inline bool tolerates(const Toleration& t, const Taint& taint) {
  if (t.effect != 0 && t.effect != taint.effect) return false;
  if (!t.key.empty() && t.key != taint.key) return false;
  if (t.exists) return true;
  return !t.key.empty() && t.value == taint.value;
}

inline bool tolerates(const std::vector<Toleration>& all, const Taint& taint) {
  return std::any_of(all.begin(), all.end(), [&](const Toleration& t) { return tolerates(t, taint); });
}

struct HostPort {
  std::string ip;  // empty: all addresses
  uint16_t port = 0;
  uint8_t protocol = 0;
  bool clashes(const HostPort& o) const {
    return port == o.port && protocol == o.protocol && (ip.empty() || o.ip.empty() || ip == o.ip);
  }
};

// Resources have small numbers, given out by the snapshot; these four are fixed.
enum Resource : uint32_t { kCpu = 0, kMemory = 1, kEphemeralStorage = 2, kPods = 3, kFirstExtended = 4 };
struct Amount {
  uint32_t resource = 0;
  int64_t amount = 0;
};

// As upstream reckons with pods that ask for nothing when it scores: 100 millicores and 200 MB.
inline constexpr int64_t kDefaultMilliCpu = 100, kDefaultMemory = 200 * 1024 * 1024;

struct Group;
struct Carried;

// All that pods of one template share.
struct Shape {
  std::string fingerprint, local_fingerprint;
  std::string ns, owner;
  Labels labels;
  std::vector<Amount> requests;  // without "pods"
  int64_t scored_cpu = 0, scored_memory = 0;
  Labels node_selector;
  std::vector<NodeTerm> node_required, node_preferred;
  bool node_required_set = false, never_preempts = false;
  std::vector<Toleration> tolerations;
  std::vector<HostPort> host_ports;
  std::vector<PodTerm> affinity, anti_affinity;
  std::vector<SpreadConstraint> spread;
  std::vector<std::string> images;
  // Kept by the snapshot.
  size_t references = 0;
  std::vector<Group*> groups;      // which count pods of this shape
  std::vector<Carried*> carried;   // the terms that pods of this shape bring along
  std::vector<Carried*> concerns;  // terms of others that select this shape; right as of
  uint64_t concerns_version = 0;
};

struct Pod {
  std::string uid;
  Shape* shape = nullptr;
  size_t slot = 0;
  int32_t priority = 0;
  int64_t start_unix_ns = 0;
  bool disruption = false, terminating = false;
};

struct Node {
  std::string name;
  bool present = false;  // slots are used again
  bool unschedulable = false;
  Labels labels;
  std::vector<Taint> taints;
  std::vector<std::pair<std::string, int64_t>> images;  // sorted by name
  std::vector<int64_t> allocatable, requested;          // by resource
  int64_t scored_cpu = 0, scored_memory = 0;
  std::vector<Pod*> pods;
  std::vector<HostPort> ports;
  uint64_t generation = 0;  // grows with every change; never the same for two states of a slot
  int64_t allocatable_of(uint32_t r) const { return r < allocatable.size() ? allocatable[r] : 0; }
  int64_t requested_of(uint32_t r) const { return r < requested.size() ? requested[r] : 0; }
};

}  // namespace lotse::scheduling
