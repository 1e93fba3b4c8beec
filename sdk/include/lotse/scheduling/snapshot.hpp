// SPDX-License-Identifier: Apache-2.0
//
// Snapshot: the nodes, the pods on them, and indexes that follow every change at the cost of that change alone:
//   groups    how many pods on each node match a selector (topology spread, pod affinity, spreading by owner)
//   carried   on which nodes there are pods with a certain affinity term of their own
//   columns   which value of a topology key (zone, hostname) each node has
// Nodes live in slots; an index is an array by slot.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lotse/scheduling/fingerprint.hpp"
#include "lotse/scheduling/model.hpp"

namespace lotse::scheduling {

inline constexpr size_t kGroupsMax = 512;

// Counts pods by node.
struct Group {
  std::string owner;  // set: pods of this owner; else those that a term selects
  PodTerm term;
  bool skip_terminating = false;
  std::vector<int32_t> count;
  uint64_t last_used = 0;
  bool counts(const Shape& s) const { return owner.empty() ? term.matches(s.ns, s.labels) : owner == s.owner; }
};

// An affinity term that pods on some nodes have, and how many on each.
struct Carried {
  PodTerm term;
  bool anti = false;
  std::vector<int32_t> count;
  size_t shapes = 0;
};

struct Column {
  std::vector<int32_t> domain;  // by slot; -1: the node has no such label
  int32_t domains = 0;
  uint64_t labels_version = 0;
};

class Snapshot {
 public:
  void node_set(const lotse_sched_node& in) {
    size_t slot = slot_for(view(in.name));
    Node& node = nodes_[slot];
    Labels labels = make_labels(in.labels, in.label_count);
    if (labels != node.labels || !node.present) ++labels_version_;
    if (!node.present) ++present_;
    node.present = true;
    node.unschedulable = in.unschedulable != 0;
    node.labels = std::move(labels);
    node.taints.clear();
    for (size_t i = 0; i < in.taint_count; ++i)
      node.taints.push_back(
          {std::string(view(in.taints[i].key)), std::string(view(in.taints[i].value)), in.taints[i].effect});
    node.allocatable.assign(node.allocatable.size(), 0);
    for (size_t i = 0; i < in.allocatable_count; ++i)
      add_to(&node.allocatable, resource(view(in.allocatable[i].resource)), in.allocatable[i].amount);
    set_images(&node, in);
    touch(&node);
  }

  void node_remove(std::string_view name) {
    auto it = slots_.find(std::string(name));
    if (it == slots_.end()) return;
    Node& node = nodes_[it->second];
    while (!node.pods.empty()) pod_remove(std::string(node.pods.back()->uid));
    lotse_sched_node none{};
    set_images(&node, none);
    free_slots_.push_back(it->second);
    node = Node();
    touch(&node);
    slots_.erase(it);
    --present_;
    ++labels_version_;
  }

  // Pods on nodes that are not known are kept aside by nobody: the host tells of the node first.
  bool pod_set(const lotse_sched_pod& in) { return place(in, view(in.node)); }

  bool place(const lotse_sched_pod& in, std::string_view node) {
    pod_remove(view(in.uid));
    auto slot = slots_.find(std::string(node));
    if (slot == slots_.end()) return false;
    auto pod = std::make_unique<Pod>();
    pod->uid = view(in.uid);
    pod->shape = acquire(in);
    pod->slot = slot->second;
    pod->priority = in.priority;
    pod->start_unix_ns = in.start_unix_ns;
    pod->disruption = in.disruption != 0;
    pod->terminating = in.terminating != 0;
    attach(pod.get());
    pods_.emplace(pod->uid, std::move(pod));
    return true;
  }

  void pod_remove(std::string_view uid) {
    auto it = pods_.find(std::string(uid));
    if (it == pods_.end()) return;
    detach(it->second.get());
    release(it->second->shape);
    pods_.erase(it);
  }

  // Takes a pod off its node and puts it back, for trying out. Both keep the order of everything else.
  void detach(Pod* pod) { move(pod, -1); }
  void attach(Pod* pod) { move(pod, +1); }

  const Pod* pod(std::string_view uid) const {
    auto it = pods_.find(std::string(uid));
    return it == pods_.end() ? nullptr : it->second.get();
  }
  Pod* pod(std::string_view uid) { return const_cast<Pod*>(std::as_const(*this).pod(uid)); }
  const std::vector<Node>& nodes() const { return nodes_; }
  Node& node(size_t slot) { return nodes_[slot]; }
  size_t slot(std::string_view name) const {
    auto it = slots_.find(std::string(name));
    return it == slots_.end() ? SIZE_MAX : it->second;
  }
  size_t node_count() const { return present_; }
  size_t pod_count() const { return pods_.size(); }
  const std::string& resource_name(uint32_t r) const { return resource_names_[r]; }
  // How many nodes have an image, and a number that changes whenever such a count does.
  int32_t image_nodes(const std::string& name) const {
    auto it = image_nodes_.find(name);
    return it == image_nodes_.end() ? 0 : it->second;
  }
  uint64_t images_version() const { return images_version_; }

  // The shape of a pod that is asked for; give it back with release.
  Shape* acquire(const lotse_sched_pod& in) {
    Fingerprint print(in);
    auto it = shapes_.find(print.whole());
    if (it == shapes_.end()) it = shapes_.emplace(print.whole(), make_shape(in, print)).first;
    ++it->second->references;
    return it->second.get();
  }
  void release(Shape* shape) {
    if (--shape->references > 0) return;
    for (Carried* c : shape->carried)
      if (--c->shapes == 0) drop_carried(c);
    shapes_.erase(std::string(shape->fingerprint));
  }

  // The group that counts what the term selects. Valid until kGroupsMax others have been asked for.
  Group& group(const PodTerm& term, bool skip_terminating) {
    std::string key = skip_terminating ? "t" : "a";
    for (const std::string& ns : term.namespaces) key += ns + '\0';
    key += '\1';
    for (const Requirement& r : term.selector.requirements) {
      key += r.key + '\0' + char('0' + r.op);
      for (const std::string& v : r.values) key += v + '\0';
      key += '\2';
    }
    if (!term.selector_set) key += '\3';
    return group_for(key, [&](Group* g) { g->term = term, g->skip_terminating = skip_terminating; });
  }
  Group& owner_group(const std::string& owner) {
    return group_for("o" + owner, [&](Group* g) { g->owner = owner, g->skip_terminating = true; });
  }

  // The terms of pods on nodes that select this shape.
  const std::vector<Carried*>& concerns(Shape* shape) {
    if (shape->concerns_version != carried_version_) {
      shape->concerns.clear();
      for (auto& [key, carried] : carried_)
        if (carried->term.matches(shape->ns, shape->labels)) shape->concerns.push_back(carried.get());
      shape->concerns_version = carried_version_;
    }
    return shape->concerns;
  }

  const Column& column(const std::string& key) {
    Column& column = columns_[key];
    if (column.labels_version == labels_version_ && column.domain.size() == nodes_.size()) return column;
    std::unordered_map<std::string_view, int32_t> ids;
    column.domain.assign(nodes_.size(), -1);
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const std::string* value = nodes_[i].present ? label(nodes_[i].labels, key) : nullptr;
      if (value) column.domain[i] = ids.emplace(*value, static_cast<int32_t>(ids.size())).first->second;
    }
    column.domains = static_cast<int32_t>(ids.size());
    column.labels_version = labels_version_;
    return column;
  }

 private:
  size_t slot_for(std::string_view name) {
    auto [it, made] = slots_.emplace(std::string(name), nodes_.size());
    if (!made) return it->second;
    if (!free_slots_.empty()) {
      it->second = free_slots_.back();
      free_slots_.pop_back();
    } else {
      nodes_.emplace_back();
      for (auto& [key, g] : groups_) g->count.resize(nodes_.size());
      for (auto& [key, c] : carried_) c->count.resize(nodes_.size());
    }
    nodes_[it->second].name = name;
    return it->second;
  }

  void touch(Node* node) { node->generation = ++generation_; }

  uint32_t resource(std::string_view name) {
    for (uint32_t i = 0; i < resource_names_.size(); ++i)
      if (resource_names_[i] == name) return i;
    resource_names_.emplace_back(name);
    return static_cast<uint32_t>(resource_names_.size() - 1);
  }

  static void add_to(std::vector<int64_t>* amounts, uint32_t resource, int64_t amount) {
    if (amounts->size() <= resource) amounts->resize(resource + 1);
    (*amounts)[resource] += amount;
  }

  void set_images(Node* node, const lotse_sched_node& in) {
    std::vector<std::pair<std::string, int64_t>> images;
    for (size_t i = 0; i < in.image_count; ++i) images.emplace_back(view(in.images[i].name), in.images[i].bytes);
    std::sort(images.begin(), images.end());
    images.erase(std::unique(images.begin(), images.end(), [](auto& a, auto& b) { return a.first == b.first; }),
                 images.end());
    if (images == node->images) return;
    for (auto& [name, size] : node->images)
      if (--image_nodes_[name] == 0) image_nodes_.erase(name);
    for (auto& [name, size] : images) ++image_nodes_[name];
    node->images = std::move(images);
    ++images_version_;
  }

  void move(Pod* pod, int sign) {
    Node& node = nodes_[pod->slot];
    Shape& shape = *pod->shape;
    if (sign > 0)
      node.pods.push_back(pod);
    else
      node.pods.erase(std::find(node.pods.begin(), node.pods.end(), pod));
    for (const Amount& a : shape.requests) add_to(&node.requested, a.resource, sign * a.amount);
    add_to(&node.requested, kPods, sign);
    node.scored_cpu += sign * shape.scored_cpu;
    node.scored_memory += sign * shape.scored_memory;
    if (!shape.host_ports.empty()) {
      node.ports.clear();
      for (const Pod* p : node.pods)
        node.ports.insert(node.ports.end(), p->shape->host_ports.begin(), p->shape->host_ports.end());
    }
    for (Group* g : shape.groups)
      if (!(g->skip_terminating && pod->terminating)) g->count[pod->slot] += sign;
    for (Carried* c : shape.carried) c->count[pod->slot] += sign;
    touch(&node);
  }

  std::unique_ptr<Shape> make_shape(const lotse_sched_pod& in, const Fingerprint& print) {
    auto s = std::make_unique<Shape>();
    s->fingerprint = print.whole();
    s->local_fingerprint = print.local();
    s->ns = view(in.ns);
    s->owner = view(in.owner_uid);
    s->labels = make_labels(in.labels, in.label_count);
    s->node_selector = make_labels(in.node_selector, in.node_selector_count);
    for (size_t i = 0; i < in.request_count; ++i) {
      uint32_t r = resource(view(in.requests[i].resource));
      if (r != kPods && in.requests[i].amount != 0) s->requests.push_back({r, in.requests[i].amount});
    }
    s->scored_cpu = kDefaultMilliCpu, s->scored_memory = kDefaultMemory;
    for (const Amount& a : s->requests) {
      if (a.resource == kCpu) s->scored_cpu = a.amount;
      if (a.resource == kMemory) s->scored_memory = a.amount;
    }
    s->node_required_set = in.node_required_set != 0;
    s->never_preempts = in.never_preempts != 0;
    for (size_t i = 0; i < in.node_required_count; ++i)
      s->node_required.push_back({make_selector(in.node_required[i]), 0});
    for (size_t i = 0; i < in.node_preferred_count; ++i)
      s->node_preferred.push_back({make_selector(in.node_preferred[i]), in.node_preferred[i].weight});
    for (size_t i = 0; i < in.toleration_count; ++i) {
      const lotse_toleration& t = in.tolerations[i];
      s->tolerations.push_back({std::string(view(t.key)), std::string(view(t.value)), t.exists != 0, t.effect});
    }
    for (size_t i = 0; i < in.host_port_count; ++i) {
      std::string ip(view(in.host_ports[i].ip));
      if (ip == "0.0.0.0" || ip == "::") ip.clear();
      s->host_ports.push_back({std::move(ip), in.host_ports[i].port, in.host_ports[i].protocol});
    }
    for (size_t i = 0; i < in.affinity_count; ++i) s->affinity.push_back(make_pod_term(in.affinity[i], s->ns));
    for (size_t i = 0; i < in.anti_affinity_count; ++i)
      s->anti_affinity.push_back(make_pod_term(in.anti_affinity[i], s->ns));
    for (size_t i = 0; i < in.spread_count; ++i) {
      const lotse_spread& c = in.spread[i];
      s->spread.push_back({std::string(view(c.topology_key)), make_selector(c.selector), c.selector_set != 0,
                           c.max_skew, c.min_domains, c.required != 0, c.honor_affinity != 0, c.honor_taints != 0});
    }
    for (size_t i = 0; i < in.image_count; ++i) s->images.emplace_back(view(in.images[i]));
    for (auto& [key, g] : groups_)
      if (g->counts(*s)) s->groups.push_back(g.get());
    carry(s.get(), in.affinity, in.affinity_count, s->affinity, false);
    carry(s.get(), in.anti_affinity, in.anti_affinity_count, s->anti_affinity, true);
    return s;
  }

  static PodTerm make_pod_term(const lotse_pod_term& in, const std::string& ns) {
    PodTerm t;
    for (size_t i = 0; i < in.namespace_count; ++i) t.namespaces.emplace_back(view(in.namespaces[i]));
    if (t.namespaces.empty()) t.namespaces.push_back(ns);
    std::sort(t.namespaces.begin(), t.namespaces.end());
    t.selector = make_selector(in.selector);
    t.selector_set = in.selector_set != 0;
    t.weight = in.weight;
    t.topology_key = view(in.topology_key);
    return t;
  }

  void carry(Shape* shape, const lotse_pod_term*, size_t count, const std::vector<PodTerm>& terms, bool anti) {
    for (size_t i = 0; i < count; ++i) {
      const PodTerm& t = terms[i];
      std::string key =
          (anti ? "-" : "+") + std::to_string(t.weight) + t.topology_key + '\0' + (t.selector_set ? '1' : '0');
      for (const std::string& ns : t.namespaces) key += ns + '\0';
      for (const Requirement& r : t.selector.requirements) {
        key += '\1' + r.key + '\0' + char('0' + r.op);
        for (const std::string& v : r.values) key += v + '\0';
      }
      auto& carried = carried_[key];
      if (!carried) {
        carried = std::make_unique<Carried>();
        carried->term = t;
        carried->anti = anti;
        carried->count.assign(nodes_.size(), 0);
        ++carried_version_;
      }
      ++carried->shapes;
      shape->carried.push_back(carried.get());
    }
  }

  void drop_carried(Carried* gone) {
    for (auto it = carried_.begin(); it != carried_.end(); ++it)
      if (it->second.get() == gone) {
        carried_.erase(it);
        break;
      }
    ++carried_version_;
  }

  template <class Fill>
  Group& group_for(const std::string& key, Fill fill) {
    auto& g = groups_[key];
    if (!g) {
      g = std::make_unique<Group>();
      fill(g.get());
      g->count.assign(nodes_.size(), 0);
      for (auto& [print, shape] : shapes_)
        if (g->counts(*shape)) shape->groups.push_back(g.get());
      for (auto& [uid, p] : pods_)
        if (g->counts(*p->shape) && !(g->skip_terminating && p->terminating)) ++g->count[p->slot];
      Group* fresh = g.get();
      fresh->last_used = ++uses_;
      if (groups_.size() > kGroupsMax) drop_oldest_group();
      return *fresh;
    }
    g->last_used = ++uses_;
    return *g;
  }

  void drop_oldest_group() {
    auto oldest = groups_.begin();
    for (auto it = groups_.begin(); it != groups_.end(); ++it)
      if (it->second->last_used < oldest->second->last_used) oldest = it;
    for (auto& [print, shape] : shapes_) std::erase(shape->groups, oldest->second.get());
    groups_.erase(oldest);
  }

  std::vector<Node> nodes_;
  std::vector<size_t> free_slots_;
  std::unordered_map<std::string, size_t> slots_;
  std::unordered_map<std::string, std::unique_ptr<Pod>> pods_;
  std::unordered_map<std::string, std::unique_ptr<Shape>> shapes_;
  std::unordered_map<std::string, std::unique_ptr<Group>> groups_;
  std::unordered_map<std::string, std::unique_ptr<Carried>> carried_;
  std::unordered_map<std::string, Column> columns_;
  std::unordered_map<std::string, int32_t> image_nodes_;
  std::vector<std::string> resource_names_{"cpu", "memory", "ephemeral-storage", "pods"};
  size_t present_ = 0;
  uint64_t generation_ = 0, labels_version_ = 1, images_version_ = 1, carried_version_ = 1, uses_ = 0;
};

}  // namespace lotse::scheduling
