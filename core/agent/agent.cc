#include "core/agent/agent_impl.h"

namespace lotse::agent {

Agent::Impl::Impl(Config c, api::Client& cl, Runtime& r, Loop& l, WorkerPool& p, RuntimeEvents* events)
    : config(std::move(c)),
      client(cl),
      runtime(r),
      loop(l),
      pool(p),
      own_events(events ? nullptr : std::make_unique<RuntimeEvents>(r, l)),
      recorder(cl, l, config.node_name),
      images(config, r, l, p),
      references(cl, l,
                 [this](const std::string& uid) {
                   if (auto it = pods.find(uid); it != pods.end()) it->second->references_changed();
                 }),
      handlers(HandlerRunner::make(r, l)),
      context{config, client,   runtime,    loop,      pool,
              images, recorder, references, *handlers, events ? *events : *own_events} {
  if (!config.checkpoint_key.empty() && !config.hollow)
    checkpoint = std::make_unique<Checkpoint>(config.data_dir + "/agent", config.checkpoint_key, loop, pool);
  context.finished = [this](const std::string& uid) { finished(uid); };
  context.moved = [this](const std::string& uid) {
    for (auto [it, end] = readers.equal_range(uid); it != end;) {
      auto reader = it->second.lock();
      it = reader ? std::next(it) : readers.erase(it);
      if (reader) reader->kick();
    }
  };
  if (!config.cni_dir.empty()) {
    node_state.network = Status(Reason::kServiceUnavailable, "the pod network has not been set up yet");
    context.network_ok = false;
  }
}

Agent::Agent(Config config, api::Client& client, Runtime& runtime, Loop& loop, WorkerPool& pool, RuntimeEvents* events)
    : impl_(std::make_shared<Impl>(std::move(config), client, runtime, loop, pool, events)) {}

Agent::~Agent() {
  impl_->stopped = true;
  impl_->pod_source.reset();
  impl_->service_source.reset();
  impl_->pods.clear();
  impl_->context.finished = [](const std::string&) {};
}

void Agent::start() { impl_->start(); }

// Containers go on; only what we do about them ends. Work that is on the pool comes back to nobody.
void Agent::stop(std::function<void()> done) {
  auto& i = *impl_;
  i.stopped = true;
  i.pod_source.reset();
  i.service_source.reset();
  i.node.reset();
  for (Handle* h : {&i.lost, &i.care_timer, &i.start_timer, &i.gc_timer, &i.image_timer}) h->reset();
  i.pods.clear();
  i.own_events.reset();
  on_pool(i.loop, i.pool, [] {}, std::move(done));
}

void Agent::set_network(Status status) {
  auto& i = *impl_;
  bool ok = status.ok();
  i.node_state.network = std::move(status);
  if (i.node) i.node->changed();
  if (i.context.network_ok == ok) return;
  i.context.network_ok = ok;
  auto copy = i.pods;
  for (auto& [uid, pod] : copy) pod->network_changed();
}

void Agent::on_node(std::function<void(const ObjectPtr&)> fn) { impl_->on_node = std::move(fn); }

void Agent::raise_fault(std::string id, std::string reason, std::string message) {
  impl_->loop.post([weak = std::weak_ptr<Impl>(impl_), id = std::move(id), reason = std::move(reason),
                    message = std::move(message)] {
    auto i = weak.lock();
    if (!i || i->stopped) return;
    i->node_state.faults[id] = {reason, message};
    i->recorder.record({"Node", "", i->config.node_name, i->config.node_name, {}}, true, reason, message);
    if (i->node) i->node->changed();
  });
}

void Agent::clear_fault(std::string id) {
  impl_->loop.post([weak = std::weak_ptr<Impl>(impl_), id = std::move(id)] {
    auto i = weak.lock();
    if (!i || i->stopped || i->node_state.faults.erase(id) == 0) return;
    if (i->node) i->node->changed();
  });
}

Result<StreamPtr> Agent::open(std::string_view kind, std::string_view arguments, SinkPtr sink) {
  return impl_->open(kind, arguments, std::move(sink));
}
Checkpoint* Agent::checkpoint() { return impl_->checkpoint.get(); }
const Config& Agent::config() const { return impl_->config; }

}  // namespace lotse::agent
