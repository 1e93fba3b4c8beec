#include "core/control/runner.h"

namespace lotse::control {

ObjectPtr StoreView::get(const store::ResourceName& resource, std::string_view ns, std::string_view name) const {
  auto found = store_.get({resource, std::string(ns), std::string(name)});
  if (found.ok()) return *std::move(found);
  unreadable_ = unreadable_ || found.status().reason != Reason::kNotFound;
  return nullptr;
}

std::vector<ObjectPtr> StoreView::list(const store::ResourceName& resource, std::string_view ns,
                                       const LabelSelector& labels) const {
  store::ListQuery query;
  query.resource = resource;
  query.ns = ns;
  query.labels = labels;
  auto page = store_.list(query);
  if (page.ok()) return std::move(page->items);
  unreadable_ = true;
  return {};
}

std::vector<ObjectPtr> StoreView::owned_by(std::string_view uid, const store::ResourceName& resource) const {
  return store_.owned_by(std::string(uid), resource);
}

std::vector<ObjectPtr> StoreView::pods_on(std::string_view node) const {
  return store_.on_node(std::string(node));
}

}  // namespace lotse::control
