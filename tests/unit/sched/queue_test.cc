#include "core/sched/queue.h"

#include <catch2/catch.hpp>

#include "core/sched/message.h"
#include "core/sched/quantities.h"

namespace lotse::sched {
using namespace std::chrono_literals;
namespace {
SteadyTime at(Duration d) {
  return SteadyTime(d);
}
std::shared_ptr<const PodForm> pod(const std::string& name, int priority = 0) {
  json::Value v = json::Value::object({{"apiVersion", "v1"}, {"kind", "Pod"}});
  v["metadata"] = json::Value::object({{"name", name}, {"namespace", "default"}, {"uid", name}});
  v["spec"].set("priority", priority).set("schedulerName", "default-scheduler");
  return std::make_shared<PodForm>(Object::from_value(std::move(v), 1),
                                   [](const LabelSelector&) { return std::vector<std::string>(); });
}
std::string names(const std::vector<WaitingPtr>& pods) {
  std::string out;
  for (const auto& p : pods) out += p->form->object()->header().name + " ";
  return out;
}
std::vector<WaitingPtr> take(Queue& q, Duration now, size_t max = 10) {
  return q.take(max, at(now), "default-scheduler");
}
}  // namespace

TEST_CASE("the most important pod comes first, then who has waited longest") {
  Queue q;
  q.add(pod("a"), at(0s)), q.add(pod("b"), at(1s)), q.add(pod("vip", 9), at(2s));
  CHECK(names(take(q, 3s, 2)) == "vip a ");
  CHECK(names(take(q, 3s)) == "b ");
}

TEST_CASE("an unschedulable pod stays until something happens that may help it") {
  Queue q;
  q.add(pod("a"), at(0s));
  q.unschedulable(take(q, 0s)[0], kNodeChanged, at(0s));
  q.wake(kPodGone, at(60s));
  CHECK(take(q, 60s).empty());
  q.wake(kNodeChanged, at(60s));
  CHECK(names(take(q, 60s)) == "a ");
}

TEST_CASE("who has just failed waits, longer each time, even if something happens") {
  Queue q;
  q.add(pod("a"), at(0s));
  Duration now = 0s;
  for (Duration wait : {1s, 2s, 4s, 8s, 10s, 10s}) {
    auto batch = take(q, now);
    REQUIRE(batch.size() == 1);
    q.unschedulable(batch[0], kNodeChanged, at(now));
    q.wake(kNodeChanged, at(now));
    CHECK(take(q, now + wait - 1ms).empty());
    now += wait;
  }
}

TEST_CASE("what happens while a pod is being placed is not missed") {
  Queue q;
  q.add(pod("a"), at(0s));
  auto batch = take(q, 0s);
  q.wake(kNodeChanged, at(0s));
  q.unschedulable(batch[0], kNodeChanged, at(0s));
  CHECK(names(take(q, 1s)) == "a ");
}

TEST_CASE("nobody waits for ever: after five minutes every pod is tried again") {
  Queue q;
  q.add(pod("a"), at(0s));
  q.unschedulable(take(q, 0s)[0], 0, at(0s));
  CHECK(q.next_due() == at(300s));
  CHECK(names(take(q, 300s)) == "a ");
}

TEST_CASE("a pod that is removed while it is being placed does not come back") {
  Queue q;
  q.add(pod("a"), at(0s));
  auto batch = take(q, 0s);
  q.remove("a");
  q.retry(batch[0], at(0s));
  CHECK(q.size() == 0);
  CHECK_FALSE(q.next_due());
}

TEST_CASE("a changed pod is tried at once") {
  Queue q;
  q.add(pod("a"), at(0s));
  q.unschedulable(take(q, 0s)[0], kNodeChanged, at(0s));
  q.add(pod("a", 5), at(1s));
  CHECK(names(take(q, 1s)) == "a ");
}

TEST_CASE("the message counts nodes by reason, sorted as text") {
  CHECK(fit_message({}, false) == "no nodes available to schedule pods");
  CHECK(fit_message({{"a", "Insufficient cpu", true},
                     {"b", "Insufficient cpu", true},
                     {"b", "Too many pods", true},
                     {"c", "node(s) were unschedulable", false}},
                    false) ==
        "0/3 nodes are available: 1 Too many pods, 1 node(s) were unschedulable, 2 Insufficient cpu. preemption: 0/3 "
        "nodes are "
        "available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.");
  CHECK(fit_message({{"a", "Insufficient cpu", true}}, true) ==
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never.");
}

TEST_CASE("a pod asks for its containers, or for an init container that needs more, and its overhead") {
  auto spec = *json::parse(
      R"({"containers":[{"resources":{"requests":{"cpu":"100m"}}},{"resources":{"requests":{"cpu":"200m","memory":"1Mi"}}}],
    "initContainers":[{"restartPolicy":"Always","resources":{"requests":{"cpu":"50m"}}},{"resources":{"requests":{"cpu":"1"}}}],
    "overhead":{"cpu":"10m"}})");
  auto r = pod_requests(spec);
  CHECK(r["cpu"] == 1060);
  CHECK(r["memory"] == 1 << 20);
}

}  // namespace lotse::sched
