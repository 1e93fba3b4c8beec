// Requests: bindings, conditions, victims, events. As system:kube-scheduler.
#include "core/base/log.h"
#include "core/sched/state.h"

namespace lotse::sched {

api::Request Scheduler::State::request(api::Verb verb, std::string_view resource, const ObjectPtr& object) const {
  api::Request r;
  r.verb = verb;
  r.version = "v1", r.resource = resource;
  r.ns = object->header().ns, r.name = object->header().name;
  r.content_type = r.accept = "application/json";
  r.user_agent = "lotsed/scheduler";
  r.peer.trusted = user;
  return r;
}

void Scheduler::State::send(api::Request r, std::function<void(Status)> done) {
  writes.push_back({std::move(r), std::move(done)});
  send_next();
}

void Scheduler::State::send_next() {
  while (!stopped && !writes.empty() && writes_in_flight < settings.writes_in_flight_max) {
    Write w = std::move(writes.front());
    writes.pop_front();
    ++writes_in_flight;
    handler.handle(std::move(w.request), [self = shared_from_this(), done = std::move(w.done)](api::Response response) {
      self->loop.post([self, done, status = api::status_of(response)] {
        --self->writes_in_flight;
        if (self->stopped) return;
        done(status);
        self->send_next();
        self->pump();
      });
    });
  }
}

void Scheduler::State::bind(const WaitingPtr& pod, const std::shared_ptr<const PodForm>& form,
                            const std::string& node) {
  const ObjectHeader& h = form->object()->header();
  json::Value body = json::Value::object({{"apiVersion", "v1"}, {"kind", "Binding"}});
  body.set("metadata", json::Value::object({{"name", h.name}, {"namespace", h.ns}, {"uid", h.uid}}));
  body.set("target", json::Value::object({{"apiVersion", "v1"}, {"kind", "Node"}, {"name", node}}));
  api::Request r = request(api::Verb::kCreate, "pods", form->object());
  r.subresource = "binding";
  r.body = json::write_bytes(body);
  send(std::move(r), [this, pod, form, node](const Status& s) { bound(pod, form, node, s); });
}

void Scheduler::State::bound(const WaitingPtr& pod, const std::shared_ptr<const PodForm>& form, const std::string& node,
                             const Status& status) {
  const ObjectHeader& h = form->object()->header();
  if (status.ok()) {
    ++counters.scheduled;
    event(form->object(), "Normal", "Scheduled", "Successfully assigned " + h.ns + "/" + h.name + " to " + node);
    return;
  }
  ++counters.bind_errors;
  // If it was bound by others or is gone, the ring has said so or will.
  if (assumed.erase(h.uid) == 0) return;
  tell_pod_gone(h.uid);
  flush();
  if (status.reason == Reason::kNotFound) return queue.remove(h.uid);
  event(form->object(), "Warning", "FailedScheduling", "binding rejected: " + status.message);
  queue.retry(pod, loop.clock().steady());
}

void Scheduler::State::patch_status(const ObjectPtr& pod, json::Value status) {
  api::Request r = request(api::Verb::kPatch, "pods", pod);
  r.subresource = "status";
  r.content_type = "application/strategic-merge-patch+json";
  json::Value body;
  body["metadata"].set("uid", pod->header().uid);
  body.set("status", std::move(status));
  r.body = json::write_bytes(body);
  send(std::move(r), [key = pod->header().ns + "/" + pod->header().name](const Status& s) {
    if (!s.ok() && s.reason != Reason::kNotFound && s.reason != Reason::kConflict)
      log::warn("sched.status", s.message, {{"pod", key}});
  });
}

void Scheduler::State::delete_victim(const ObjectPtr& victim, const PodForm& preemptor, const std::string& node) {
  json::Value condition =
      json::Value::object({{"type", "DisruptionTarget"}, {"status", "True"}, {"reason", "PreemptionByScheduler"}});
  condition.set("message", std::string(preemptor.scheduler()) + ": preempting to accommodate a higher priority pod");
  condition.set("lastTransitionTime", format_time(loop.clock().now()));
  json::Value status;
  status.set("conditions", json::Value::array({std::move(condition)}));
  patch_status(victim, std::move(status));
  api::Request r = request(api::Verb::kDelete, "pods", victim);
  json::Value body = json::Value::object({{"apiVersion", "v1"}, {"kind", "DeleteOptions"}});
  body["preconditions"].set("uid", victim->header().uid);
  r.body = json::write_bytes(body);
  send(std::move(r), [key = victim->header().ns + "/" + victim->header().name](const Status& s) {
    if (!s.ok() && s.reason != Reason::kNotFound && s.reason != Reason::kConflict)
      log::warn("sched.preempt", s.message, {{"victim", key}});
  });
  event(victim, "Normal", "Preempted", "Preempted by pod " + preemptor.object()->header().uid + " on node " + node);
}

void Scheduler::State::event(const ObjectPtr& about, const char* type, const char* reason, std::string message) {
  if (events.size() >= settings.events_queued_max) return;
  events.push_back({about, type, reason, std::move(message)});
  send_events();
}

// Behind everything else: events wait while there are bindings to be sent.
void Scheduler::State::send_events() {
  while (!stopped && !events.empty() && events_in_flight < settings.events_in_flight_max) {
    QueuedEvent e = std::move(events.front());
    events.pop_front();
    const ObjectHeader& h = e.about->header();
    json::Value involved = json::Value::object(
        {{"apiVersion", "v1"}, {"kind", "Pod"}, {"namespace", h.ns}, {"name", h.name}, {"uid", h.uid}});
    involved.set("resourceVersion", std::to_string(e.about->revision()));
    json::Value body = json::Value::object({{"type", e.type}, {"reason", e.reason}, {"message", std::move(e.message)}});
    body.set("involvedObject", std::move(involved));
    auto write = recorder.record(std::move(body), loop.clock().now());
    if (!write) continue;
    api::Request r = request(write->create ? api::Verb::kCreate : api::Verb::kPatch, "events", e.about);
    r.name = write->create ? "" : write->name;
    if (!write->create) r.content_type = "application/merge-patch+json";
    r.body = json::write_bytes(write->body);
    ++events_in_flight;
    handler.handle(std::move(r), [self = shared_from_this(), key = write->key](api::Response response) {
      self->loop.post([self, key, status = api::status_of(response)] {
        --self->events_in_flight;
        if (status.reason == Reason::kNotFound) self->recorder.forget(key);
        self->send_events();
      });
    });
  }
}

}  // namespace lotse::sched
