#include "unit/schema/edit.h"

#include <catch2/catch.hpp>
#include <fstream>

namespace lotse::schema {
namespace {

// Takes the next step of a path: a name, an index or a quoted key.
std::string next_step(std::string_view* path, bool* index) {
  *index = false;
  if (path->starts_with('.')) path->remove_prefix(1);
  if (path->starts_with("[\"")) {
    const size_t end = path->find("\"]");
    std::string key(path->substr(2, end - 2));
    path->remove_prefix(end + 2);
    return key;
  }
  if (path->starts_with('[')) {
    *index = true;
    const size_t end = path->find(']');
    std::string number(path->substr(1, end - 1));
    path->remove_prefix(end + 1);
    return number;
  }
  const size_t end = std::min(path->find_first_of(".["), path->size());
  std::string name(path->substr(0, end));
  path->remove_prefix(end);
  return name;
}

void edit_one(json::Value* object, std::string_view text) {
  const size_t equal = text.find('=');
  const bool removes = text.ends_with('-') && equal == text.npos;
  std::string_view path = removes ? text.substr(0, text.size() - 1) : text.substr(0, equal);
  json::Value* at = object;
  while (!path.empty()) {
    bool index;
    const std::string step = next_step(&path, &index);
    if (removes && path.empty() && !index) {
      at->erase(step);
      return;
    }
    if (!index) {
      at = &(*at)[step];
      continue;
    }
    const size_t i = std::stoul(step);
    if (removes && path.empty()) {
      at->array_items().erase(at->array_items().begin() + static_cast<std::ptrdiff_t>(i));
      return;
    }
    while (at->array_items().size() <= i) at->push(json::Value());
    at = &at->array_items()[i];
  }
  auto value = json::parse(text.substr(equal + 1));
  INFO(text);
  REQUIRE(value.ok());
  *at = *std::move(value);
}

}  // namespace

json::Value yaml(std::string_view text) {
  auto v = json::parse_yaml(text);
  INFO(v.status().message);
  REQUIRE(v.ok());
  return *std::move(v);
}

void edit(json::Value* object, std::string_view edits) {
  while (!edits.empty()) {
    const size_t end = std::min(edits.find(" ; "), edits.size());
    edit_one(object, edits.substr(0, end));
    edits.remove_prefix(std::min(end + 3, edits.size()));
  }
}

json::Value admitted(const ResourceInfo& resource, json::Value object, const json::Value* old, Operation operation) {
  prune(resource, &object, nullptr);
  apply_defaults(resource, &object, old);
  prepare(resource, &object, old, operation);
  return object;
}

const ResourceInfo& resource_of(const json::Value& object) {
  const ResourceInfo* r = find_kind(object["apiVersion"].str(), object["kind"].str());
  INFO(json::write(object));
  REQUIRE(r);
  return *r;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  INFO(path);
  REQUIRE(in.good());
  return {(std::istreambuf_iterator<char>(in)), {}};
}

}  // namespace lotse::schema
