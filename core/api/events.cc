#include "core/api/events.h"

#include <algorithm>

#include "core/base/ids.h"

namespace lotse::api {
namespace {
constexpr size_t kRememberedMax = 4096;
constexpr size_t kMessagesMax = 10;
constexpr Duration kSimilarWithin = std::chrono::minutes(10);
constexpr double kBurst = 25, kPerSecond = 1.0 / 300;

std::string object_key(const json::Value& event) {
  const json::Value& o = event["involvedObject"];
  std::string key;
  for (const char* field : {"kind", "namespace", "name", "fieldPath", "uid", "apiVersion"})
    key.append(o[field].str()) += '\0';
  return key;
}
}  // namespace

bool EventRecorder::too_many(const std::string& object, WallTime now) {
  auto [it, made] = buckets_.try_emplace(object);
  Bucket& b = it->second;
  if (made)
    b.tokens = kBurst;
  else
    b.tokens = std::min(kBurst, b.tokens + std::chrono::duration<double>(now - b.last).count() * kPerSecond);
  b.last = now;
  if (b.tokens < 1) return true;
  b.tokens -= 1;
  if (buckets_.size() > kRememberedMax) {
    // Full buckets say nothing that an absent one does not say too.
    std::erase_if(buckets_, [&](const auto& e) { return now - e.second.last > std::chrono::minutes(10); });
    if (buckets_.size() > kRememberedMax) buckets_.clear();
  }
  return false;
}

bool EventRecorder::combine(const std::string& similar, json::Value* event, WallTime now) {
  if (similar_.size() > kRememberedMax) similar_.clear();
  Similar& s = similar_[similar];
  if (s.last != WallTime{} && now - s.last > kSimilarWithin) s.messages.clear();
  s.last = now;
  std::string message((*event)["message"].str());
  s.messages.insert(message);
  if (s.messages.size() < kMessagesMax) return false;
  while (s.messages.size() > kMessagesMax) s.messages.erase(s.messages.begin());
  event->set("message", "(combined from similar events): " + message);
  return true;
}

void EventRecorder::drop_oldest() {
  while (said_.size() > kRememberedMax) {
    said_.erase(ages_.back());
    ages_.pop_back();
  }
}

void EventRecorder::forget(const std::string& key) {
  auto it = said_.find(key);
  if (it == said_.end()) return;
  ages_.erase(it->second.age);
  said_.erase(it);
}

std::optional<EventRecorder::Write> EventRecorder::record(json::Value event, WallTime now) {
  const std::string object = object_key(event);
  std::string key = object;
  key.append(std::as_const(event)["type"].str()) += '\0';
  key.append(std::as_const(event)["reason"].str()) += '\0';
  const bool combined = combine(key, &event, now);
  if (!combined) key.append(std::as_const(event)["message"].str());
  if (too_many(object, now)) return std::nullopt;

  const std::string time = format_time(now);
  const json::Value& involved = std::as_const(event)["involvedObject"];
  Write w;
  w.ns = involved["namespace"].str("default");
  w.key = key;
  auto it = said_.find(key);
  if (it != said_.end()) {
    Said& said = it->second;
    ages_.splice(ages_.begin(), ages_, said.age);
    w.create = false;
    w.name = said.name;
    w.body = json::Value::object({{"count", ++said.count}, {"lastTimestamp", time}});
    if (combined) w.body.set("message", std::as_const(event)["message"]);
    return w;
  }
  w.name = std::string(involved["name"].str()) + "." + [&] {
    char text[17];
    std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(now.time_since_epoch().count()));
    return std::string(text) + make_suffix(3);
  }();
  ages_.push_front(key);
  said_[key] = {w.name, time, 1, ages_.begin()};
  drop_oldest();
  event.set("apiVersion", "v1").set("kind", "Event");
  event["metadata"].set("name", w.name).set("namespace", w.ns);
  event["source"].set("component", component_);
  if (!host_.empty()) event["source"].set("host", host_);
  event.set("reportingComponent", component_).set("reportingInstance", host_);
  event.set("count", 1).set("firstTimestamp", time).set("lastTimestamp", time);
  w.body = std::move(event);
  return w;
}

}  // namespace lotse::api
