#pragma once
#include <catch2/catch.hpp>

#include "core/base/loop.h"
#include "core/store/open.h"
#include "support/memory_state.h"

namespace lotse::store {

struct StoreFixture {
  test::MemoryState state;
  VirtualLoop loop;
  Clock& clock = Clock::system();
  std::unique_ptr<Store> store = reopen({});

  std::unique_ptr<Store> reopen(Options options) {
    auto opened = open_on(state.get(), clock, options);
    REQUIRE(opened.ok());
    return *std::move(opened);
  }

  static ObjectPtr config(const std::string& ns, const std::string& name, const std::string& data,
                          std::initializer_list<std::pair<std::string_view, json::Value>> labels = {}) {
    return Object::from_value(
        json::Value::object({{"apiVersion", "v1"},
                             {"kind", "ConfigMap"},
                             {"metadata", json::Value::object({{"name", name}, {"namespace", ns}, {"labels", json::Value::object(labels)}})},
                             {"data", json::Value::object({{"k", data}})}}),
        0);
  }
  static Key key(const std::string& ns, const std::string& name) { return {"configmaps", ns, name}; }

  Result<Committed> put(const ObjectPtr& object, uint64_t expected = kAny, std::vector<Guard> guards = {}) {
    Write w;
    w.key = key(object->header().ns, object->header().name);
    w.object = object;
    w.expected = expected;
    w.guards = std::move(guards);
    return commit_and_wait(*store, std::move(w));
  }
  Result<Committed> remove(const Key& k, uint64_t expected = kAny) {
    Write w;
    w.op = Op::kDelete;
    w.key = k;
    w.expected = expected;
    return commit_and_wait(*store, std::move(w));
  }
  std::unique_ptr<Cursor> watch(WatchQuery query, std::function<void()> wake = [] {}) {
    auto cursor = store->watch(query, std::move(wake));
    REQUIRE(cursor.ok());
    return *std::move(cursor);
  }
  // All that the cursor gives, until it has nothing more and the backend has nothing to do.
  std::vector<Event> drain(Cursor& cursor) {
    std::vector<Event> all;
    for (int idle = 0; idle < 3;) {
      auto some = cursor.next(16);
      REQUIRE(some.ok());
      idle = some->empty() ? idle + 1 : 0;
      all.insert(all.end(), some->begin(), some->end());
      state.settle();
    }
    return all;
  }
};

inline std::string letter(Event::Type type) {
  return type == Event::Type::kAdded ? "+" : type == Event::Type::kModified ? "~" : "-";
}
inline std::string story(const std::vector<Event>& events) {
  std::string text;
  for (const auto& e : events) text += (text.empty() ? "" : " ") + letter(e.type) + e.key.name;
  return text;
}

}  // namespace lotse::store
