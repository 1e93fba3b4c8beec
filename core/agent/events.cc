#include "core/agent/events.h"

#include <fmt/format.h>

#include "core/base/ids.h"
#include "core/base/log.h"

namespace lotse::agent {
namespace {

constexpr size_t kQueueMax = 512, kKnownMax = 1024, kMessageMax = 1024;
constexpr double kBurst = 25;
constexpr Duration kRefill = std::chrono::minutes(5);  // one more event

}  // namespace

struct EventRecorder::State : std::enable_shared_from_this<State> {
  api::Client& client;
  Loop& loop;
  std::string node;
  struct Known {
    std::string name, first;
    int count = 0;
  };
  struct Budget {
    double left = kBurst;
    SteadyTime since{};
  };
  struct Item {
    EventSubject subject;
    bool warning;
    std::string reason, message, time, key;
  };
  std::unordered_map<std::string, Known> known;
  std::unordered_map<std::string, Budget> budgets;
  std::deque<Item> queue;
  bool sending = false;

  State(api::Client& c, Loop& l, std::string n) : client(c), loop(l), node(std::move(n)) {}

  bool within_budget(const std::string& object) {
    if (budgets.size() > kKnownMax) budgets.clear();
    auto now = loop.clock().steady();
    auto [it, fresh] = budgets.try_emplace(object);
    auto& b = it->second;
    if (!fresh) b.left = std::min(kBurst, b.left + double((now - b.since).count()) / double(kRefill.count()));
    b.since = now;
    if (b.left < 1) return false;
    b.left -= 1;
    return true;
  }

  json::Value document(const Item& i, const Known& k) const {
    auto v = json::Value::object({{"apiVersion", "v1"}, {"kind", "Event"}});
    std::string ns = i.subject.ns.empty() ? "default" : i.subject.ns;
    v.set("metadata", json::Value::object({{"name", k.name}, {"namespace", ns}}));
    auto about = json::Value::object(
        {{"kind", i.subject.kind}, {"name", i.subject.name}, {"uid", i.subject.uid}, {"apiVersion", "v1"}});
    if (!i.subject.ns.empty()) about.set("namespace", i.subject.ns);
    if (!i.subject.field_path.empty()) about.set("fieldPath", i.subject.field_path);
    v.set("involvedObject", std::move(about));
    v.set("type", i.warning ? "Warning" : "Normal").set("reason", i.reason).set("message", i.message);
    v.set("firstTimestamp", k.first).set("lastTimestamp", i.time).set("count", k.count).set("eventTime", nullptr);
    v.set("source", json::Value::object({{"component", "kubelet"}, {"host", node}}));
    v.set("reportingComponent", "kubelet").set("reportingInstance", node);
    return v;
  }

  void send() {
    if (sending || queue.empty()) return;
    sending = true;
    Item item = std::move(queue.front());
    queue.pop_front();
    std::string ns = item.subject.ns.empty() ? "default" : item.subject.ns;
    auto again = known.find(item.key);
    auto done = [weak = weak_from_this(), key = item.key](Result<ObjectPtr> answer) {
      auto self = weak.lock();
      if (!self) return;
      self->sending = false;
      if (!answer.ok() && answer.status().reason == Reason::kNotFound) self->known.erase(key);
      self->send();
    };
    if (again != known.end()) {
      auto& k = again->second;
      ++k.count;
      auto patch = json::Value::object({{"count", k.count}, {"lastTimestamp", item.time}, {"message", item.message}});
      client.patch({"", "v1", "events"}, ns, k.name, api::Client::PatchType::kMerge, patch, done);
      return;
    }
    if (known.size() >= kKnownMax) known.clear();
    Known fresh{
        fmt::format("{}.{:x}{}", item.subject.name, loop.clock().now().time_since_epoch().count(), make_suffix(2)),
        item.time, 1};
    auto& k = known[item.key] = std::move(fresh);
    client.create({"", "v1", "events"}, ns, document(item, k), done);
  }
};

EventRecorder::EventRecorder(api::Client& client, Loop& loop, std::string node)
    : state_(std::make_shared<State>(client, loop, std::move(node))) {}
EventRecorder::~EventRecorder() = default;

void EventRecorder::record(const EventSubject& subject, bool warning, std::string reason, std::string message) {
  auto& s = *state_;
  if (message.size() > kMessageMax) message.resize(kMessageMax);
  if (s.queue.size() >= kQueueMax || !s.within_budget(subject.uid.empty() ? subject.name : subject.uid)) {
    log::debug("agent.event_dropped", "too many events", {{"object", subject.name}, {"reason", reason}});
    return;
  }
  auto key = fmt::format("{}\n{}\n{}\n{}\n{}", subject.uid, subject.field_path, warning, reason, message);
  s.queue.push_back(
      {subject, warning, std::move(reason), std::move(message), format_time(s.loop.clock().now()), std::move(key)});
  s.send();
}

}  // namespace lotse::agent
