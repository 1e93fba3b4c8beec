// EventRecorder: turns "this happened to that object" into what is written about it: a new Event, or a patch that
// raises the count of the one that says the same already, or nothing when an object has too much to say. The rules and
// figures are those of client-go's EventCorrelator. Pure; used by whoever writes events (controllers, scheduler,
// agent).
#pragma once
#include <deque>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "core/base/clock.h"
#include "core/object/json.h"

namespace lotse::api {

class EventRecorder {
 public:
  explicit EventRecorder(std::string component, std::string host = {})
      : component_(std::move(component)), host_(std::move(host)) {}

  struct Write {
    bool create = true;  // else a merge patch of the named event
    std::string ns, name, key;
    json::Value body;
  };
  // event: {involvedObject, type, reason, message}. Nothing: said too often.
  std::optional<Write> record(json::Value event, WallTime now);
  // The event that a patch was for is gone (its hour is over): the next one is created anew.
  void forget(const std::string& key);

 private:
  struct Said {
    std::string name, first;
    int64_t count = 0;
    std::list<std::string>::iterator age;
  };
  struct Similar {
    std::set<std::string> messages;
    WallTime last{};
  };
  struct Bucket {
    double tokens = 0;
    WallTime last{};
  };
  bool too_many(const std::string& object, WallTime now);
  // "(combined from similar events): ..." once an object has said the same thing in ten different ways.
  bool combine(const std::string& similar, json::Value* event, WallTime now);
  void drop_oldest();

  std::string component_, host_;
  std::unordered_map<std::string, Said> said_;
  std::list<std::string> ages_;  // most recent first
  std::unordered_map<std::string, Similar> similar_;
  std::unordered_map<std::string, Bucket> buckets_;
};

}  // namespace lotse::api
