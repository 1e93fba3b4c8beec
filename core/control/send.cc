// How an action becomes a request.
#include "core/control/action.h"
#include "core/control/runner_state.h"

namespace lotse::control {

Worker::Worker(std::unique_ptr<Controller> c)
    : controller(std::move(c)),
      user(std::make_shared<security::User>(security::controller_user(controller->name()))),
      recorder(std::string(controller->name()) + "-controller") {}

void Runner::State::send(Worker& w, Action& a, std::function<void(Status)> done) {
  api::Request r;
  r.verb = a.verb;
  r.group = a.group, r.version = a.version, r.resource = a.resource;
  r.ns = a.ns, r.subresource = a.subresource;
  if (a.verb != api::Verb::kCreate || !a.subresource.empty()) r.name = a.name;
  r.accept = "application/json";
  r.user_agent = "lotsed/" + std::string(w.controller->name());
  r.content_type = a.content_type.empty() ? "application/json" : a.content_type;
  if (!a.body.is_null()) r.body = json::write_bytes(a.body);
  r.peer.trusted = w.user;
  handler.handle(std::move(r), [&loop = loop, done = std::move(done)](api::Response response) {
    loop.post([status = api::status_of(response), done] { done(status); });
  });
}

void Runner::State::write_event(Worker& w, Action event) {
  if (w.events_in_flight >= kEventsInFlightMax) return;
  auto write = w.recorder.record(std::move(event.body), loop.clock().now());
  if (!write) return;
  Action a = write->create ? create(kEvents, write->ns, std::move(write->body))
                           : merge_patch(kEvents, write->ns, write->name, std::move(write->body));
  ++w.events_in_flight;
  send(w, a, [self = shared_from_this(), worker = &w, key = write->key](Status s) {
    --worker->events_in_flight;
    if (s.reason == Reason::kNotFound) worker->recorder.forget(key);
  });
}

}  // namespace lotse::control
