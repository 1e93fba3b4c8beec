// An API in memory for agents under test: create, get, list, watch, patch, delete, TokenRequest. It knows no rules.
#pragma once
#include <catch2/catch.hpp>

#include <map>
#include <mutex>
#include <set>

#include "core/api/request.h"
#include "core/object/object.h"
#include "core/object/selector.h"
#include "core/schema/schema.h"

namespace lotse::agent {

class FakeApi : public api::Handler {
 public:
  bool down = false;                       // nobody answers
  std::string token_expires = "2036-01-01T00:00:00Z";
  std::vector<std::string> log;            // "patch pods/web status", ...

  json::Value* find(const std::string& resource, const std::string& ns, const std::string& name) {
    auto it = objects_.find(resource + "/" + ns + "/" + name);
    return it == objects_.end() ? nullptr : &it->second;
  }
  json::Value get(const std::string& resource, const std::string& ns, const std::string& name) {
    std::lock_guard lock(mutex_);
    auto* found = find(resource, ns, name);
    return found ? *found : json::Value();
  }
  void put(const std::string& resource, json::Value v) {
    std::lock_guard lock(mutex_);
    store(resource, std::move(v));
  }
  void erase(const std::string& resource, const std::string& ns, const std::string& name) {
    std::lock_guard lock(mutex_);
    remove(resource, ns, name);
  }
  std::vector<std::string> event_reasons() {
    std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [key, v] : objects_) {
      if (key.starts_with("events/")) out.emplace_back(std::as_const(v)["reason"].str());
    }
    return out;
  }
  // What kubectl delete does: marks it; the agent takes it away.
  void mark_deleted(const std::string& ns, const std::string& name, int64_t grace) {
    std::lock_guard lock(mutex_);
    auto v = *find("pods", ns, name);
    v["metadata"].set("deletionTimestamp", "2026-01-01T00:01:00Z").set("deletionGracePeriodSeconds", grace);
    store("pods", std::move(v));
  }
  void break_watches() {
    auto old = std::exchange(watches_, {});
    for (auto& w : old) {
      if (auto sink = w.sink.lock()) sink->on_end(Status(Reason::kServiceUnavailable, "cut"), Bytes());
    }
  }

  void handle(api::Request r, api::Respond respond) override {
    if (down) return respond(api::status_response(Status(Reason::kServiceUnavailable, "down")));
    std::lock_guard lock(mutex_);
    switch (r.verb) {
      case api::Verb::kGet: return respond(one(r));
      case api::Verb::kList: return respond(list(r));
      case api::Verb::kWatch: return respond(watch(r));
      case api::Verb::kCreate: return respond(create(r));
      case api::Verb::kPatch: return respond(patch(r));
      case api::Verb::kDelete: {
        if (!find(r.resource, r.ns, r.name)) return respond(missing(r));
        log.push_back("delete " + r.resource + "/" + r.name);
        remove(r.resource, r.ns, r.name);
        return respond(ok(json::Value::object({{"apiVersion", "v1"}, {"kind", "Status"}, {"status", "Success"}})));
      }
      default: return respond(api::status_response(Status(Reason::kMethodNotAllowed, "no")));
    }
  }

 private:
  struct Watch {
    std::string resource, ns;
    FieldSelector selector;
    std::weak_ptr<StreamSink> sink;
  };
  struct Quiet : Stream {
    SinkPtr keep;
    explicit Quiet(SinkPtr s) : keep(std::move(s)) {}
    void grant(uint64_t) override {}
    void cancel() override {}
  };

  static api::Response ok(const json::Value& v) {
    api::Response out;
    out.body.push_back(json::write_bytes(v));
    return out;
  }
  static api::Response missing(const api::Request& r) { return api::status_response(Status::not_found(r.group, r.resource, r.name)); }
  static FieldSelector selector(const api::Request& r) {
    auto s = FieldSelector::parse(r.option("fieldSelector"));
    return s.ok() ? *s : FieldSelector();
  }
  api::Response one(const api::Request& r) {
    auto* found = find(r.resource, r.ns, r.name);
    return found ? ok(*found) : missing(r);
  }
  api::Response list(const api::Request& r) {
    auto items = json::Value::array();
    auto fields = selector(r);
    for (const auto& [key, v] : objects_) {
      if (!key.starts_with(r.resource + "/" + (r.ns.empty() ? "" : r.ns + "/"))) continue;
      if (fields.matches(*Object::from_value(v, 1))) items.push(v);
    }
    return ok(json::Value::object({{"kind", "List"}, {"apiVersion", "v1"}, {"items", std::move(items)},
                                   {"metadata", json::Value::object({{"resourceVersion", std::to_string(revision_)}})}}));
  }
  api::Response watch(const api::Request& r) {
    api::Response out;
    out.stream = [this, resource = r.resource, ns = r.ns, fields = selector(r)](SinkPtr sink) -> Result<StreamPtr> {
      watches_.push_back({resource, ns, fields, sink});
      return StreamPtr(std::make_unique<Quiet>(std::move(sink)));
    };
    return out;
  }
  api::Response create(const api::Request& r) {
    log.push_back("create " + r.resource + (r.subresource.empty() ? "" : "/" + r.subresource));
    auto v = *json::parse(r.body);
    if (r.subresource == "token") {
      v.set("status", json::Value::object({{"token", "jwt-" + std::to_string(++tokens_)}, {"expirationTimestamp", token_expires}}));
      return ok(v);
    }
    v["metadata"].set("namespace", r.ns);
    if (find(r.resource, r.ns, std::string(std::as_const(v)["metadata"]["name"].str()))) {
      return api::status_response(Status::already_exists(r.group, r.resource, "x"));
    }
    return ok(store(r.resource, std::move(v)));
  }
  api::Response patch(const api::Request& r) {
    auto* found = find(r.resource, r.ns, r.name);
    if (!found) return missing(r);
    log.push_back("patch " + r.resource + "/" + r.name + (r.subresource.empty() ? "" : " " + r.subresource));
    if (log.size() == 300) WARN("still talking: " << log.back() << " " << r.body.view());
    if (log.size() > 5000) return missing(r);  // or the test would never end
    auto change = *json::parse(r.body);
    const auto* info = schema::find(r.group, r.version, r.resource);
    if (r.content_type == "application/strategic-merge-patch+json" && info) {
      auto merged = schema::strategic_merge(*info->type, *found, change);
      REQUIRE(merged.ok());
      return ok(store(r.resource, *std::move(merged)));
    }
    return ok(store(r.resource, json::merge_patch(*found, change)));
  }

  const json::Value& store(const std::string& resource, json::Value v) {
    const auto& meta = std::as_const(v)["metadata"];
    auto key = resource + "/" + std::string(meta["namespace"].str()) + "/" + std::string(meta["name"].str());
    bool fresh = !objects_.contains(key);
    if (meta["uid"].str().empty()) v["metadata"].set("uid", "uid-" + std::to_string(revision_));
    v["metadata"].set("resourceVersion", std::to_string(++revision_));
    auto& stored = objects_[key] = std::move(v);
    tell(resource, fresh ? "ADDED" : "MODIFIED", stored);
    return stored;
  }
  void remove(const std::string& resource, const std::string& ns, const std::string& name) {
    auto it = objects_.find(resource + "/" + ns + "/" + name);
    if (it == objects_.end()) return;
    auto v = std::move(it->second);
    objects_.erase(it);
    v["metadata"].set("resourceVersion", std::to_string(++revision_));
    tell(resource, "DELETED", v);
  }
  void tell(const std::string& resource, const char* type, const json::Value& v) {
    auto object = Object::from_value(v, revision_);
    for (auto& w : watches_) {
      auto sink = w.sink.lock();
      if (!sink || w.resource != resource || (!w.ns.empty() && w.ns != object->header().ns) || !w.selector.matches(*object)) continue;
      sink->on_item(0, Bytes(std::string("{\"type\":\"") + type + "\",\"object\":" + json::write(v) + "}"));
    }
  }

  std::mutex mutex_;
  std::map<std::string, json::Value> objects_;
  std::vector<Watch> watches_;
  uint64_t revision_ = 100;
  int tokens_ = 0;
};

}  // namespace lotse::agent
