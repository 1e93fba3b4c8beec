#include <map>
#include <mutex>

#include "core/base/log.h"
#include "core/base/msgpack.h"
#include "core/base/run_on.h"
#include "core/bus/api_stream.h"
#include "core/bus/link.h"

namespace lotse::bus {
namespace {

// A link to every master; requests go over one of them, the primary, for as long as it lives: then over another. Everything on the bus loop
// but handle().
class BusWorker : public std::enable_shared_from_this<BusWorker> {
 public:
  BusWorker(Context& context, Worker::Config config, Mux::Acceptor calls, Worker::Events events)
      : context_(context), config_(std::move(config)), calls_(std::move(calls)), events_(std::move(events)), in_process_(config_.masters.empty()) {}

  void begin() {
    if (in_process_) add({});
    for (auto& master : std::exchange(config_.masters, {})) add(std::move(master));
  }

  void end() {
    ended_ = true;
    events_ = {};
    clear(Status(Reason::kServiceUnavailable, "the worker is stopping"));
    calls_ = nullptr;
  }

  void set_masters(std::vector<MasterAddress> masters) {
    if (ended_) return;
    clear(Status(Reason::kServiceUnavailable, "the masters' addresses have changed"));
    for (auto& master : masters) add(std::move(master));
  }

  void handle(api::Request request, api::Respond respond) {
    std::shared_ptr<Mux> mux;
    {
      std::lock_guard lock(mutex_);
      mux = primary_mux_;
    }
    if (!mux) return respond(api::status_response(Status(Reason::kServiceUnavailable, "there is no session with a master")));
    send_request(*mux, std::move(request), std::move(respond));
  }

 private:
  using LinkPtr = std::shared_ptr<Link>;

  void add(MasterAddress master) {
    const std::string key = master.public_z85;
    if (links_.contains(key)) return;
    Link::Owner owner;
    owner.welcomed = [this](Link& link, std::string_view welcome) { welcomed(link, welcome); };
    owner.lost = [this](Link& link) { lost(link); };
    owner.refused = [this](Link&, const std::string& why) {
      if (events_.refused) events_.refused(why);
    };
    auto link = std::make_shared<Link>(context_, config_, std::move(master), calls_, std::move(owner));
    links_.emplace(key, link);
    link->begin();
  }

  void clear(const Status& why) {
    const bool had = primary_ != nullptr;
    choose(nullptr);
    for (auto& [key, link] : std::exchange(links_, {})) link->end(why);
    if (had && events_.lost) events_.lost();
  }

  void choose(LinkPtr link) {
    if (primary_) primary_->set_primary(false);
    primary_ = std::move(link);
    if (primary_) primary_->set_primary(true);
    std::lock_guard lock(mutex_);
    primary_mux_ = primary_ ? primary_->mux() : nullptr;
  }

  void welcomed(Link& link, std::string_view payload) {
    auto v = MsgValue::parse(payload);
    if (!v.ok()) return;
    const bool local = link.key().empty();
    if (!primary_ || (local && primary_.get() != &link)) choose(link.shared_from_this());
    learn(link, std::string((*v)["self"].as_text()), masters_in((*v)["masters"]));
    if (events_.connected) events_.connected({Bytes((*v)["cluster"].as_text()), in_process_ ? std::vector<MasterAddress>() : known()});
  }

  // A list that is older than what we know takes no master away that we have a session with; nor does an empty one.
  void learn(Link& from, const std::string& self, std::vector<MasterAddress> told) {
    if (told.empty() || (in_process_ && !config_.dial_others)) return;
    std::vector<LinkPtr> gone;
    for (const auto& [key, link] : links_) {
      const bool listed = std::any_of(told.begin(), told.end(), [&](const MasterAddress& m) { return m.public_z85 == key; });
      if (!listed && !key.empty() && link.get() != &from && !link->mux()) gone.push_back(link);
    }
    for (const auto& link : gone) {
      links_.erase(link->key());
      link->end(Status(Reason::kServiceUnavailable, "the master is no longer one"));
    }
    for (auto& master : told) {
      if (in_process_ && master.public_z85 == self) continue;
      auto known = links_.find(master.public_z85);
      if (known == links_.end()) {
        add(std::move(master));
        continue;
      }
      // The address that has worked stays known: what a master knows of its addresses may not be all.
      auto endpoints = std::move(master.endpoints);
      const std::string& worked = known->second->endpoint();
      if (known->second->mux()) {
        std::erase(endpoints, worked);
        endpoints.insert(endpoints.begin(), worked);
      }
      if (!endpoints.empty()) known->second->set_endpoints(std::move(endpoints));
    }
  }

  // All masters, the one that is asked first.
  std::vector<MasterAddress> known() const {
    std::vector<MasterAddress> out;
    for (const auto& [key, link] : links_)
      if (!key.empty()) out.insert(link == primary_ ? out.begin() : out.end(), MasterAddress{link->endpoints(), key});
    return out;
  }

  void lost(Link& link) {
    if (primary_.get() != &link) return;
    LinkPtr next;
    for (const auto& [key, other] : links_)
      if (other->mux() && (!next || key.empty())) next = other;
    choose(next);
    if (next) log::info("bus.moved", "requests go to another master", {{"node", config_.node}, {"master", next->endpoint()}});
    else if (events_.lost) events_.lost();
  }

  Context& context_;
  Worker::Config config_;
  Mux::Acceptor calls_;
  Worker::Events events_;
  const bool in_process_;
  std::map<std::string, LinkPtr> links_;  // by the master's key
  LinkPtr primary_;                       // null: there is no session
  std::mutex mutex_;
  std::shared_ptr<Mux> primary_mux_;
  bool ended_ = false;
};

class WorkerHandle : public Worker {
 public:
  WorkerHandle(Context& context, std::shared_ptr<BusWorker> worker) : context_(context), worker_(std::move(worker)) {}
  ~WorkerHandle() override { close(); }
  void close() override {
    run_on(context_.loop(), [&] { worker_->end(); });
    run_on(context_.loop(), [] {});  // the sockets have been closed by now
  }
  void set_masters(std::vector<MasterAddress> masters) override {
    context_.loop().post([worker = worker_, masters = std::move(masters)]() mutable { worker->set_masters(std::move(masters)); });
  }
  void handle(api::Request request, api::Respond respond) override { worker_->handle(std::move(request), std::move(respond)); }

 private:
  Context& context_;
  std::shared_ptr<BusWorker> worker_;
};

}  // namespace

std::vector<MasterAddress> masters_in(const MsgValue& list) {
  std::vector<MasterAddress> out;
  for (const auto& item : list.items()) {
    MasterAddress m{item["a"].as_strings(), std::string(item["k"].as_text())};
    if (!m.endpoints.empty() && m.public_z85.size() == 40) out.push_back(std::move(m));
  }
  return out;
}

MsgValue masters_out(const std::vector<MasterAddress>& masters) {
  MsgValue list = MsgValue::array();
  for (const auto& m : masters) list.push(MsgValue::map({{"a", MsgValue::strings(m.endpoints)}, {"k", m.public_z85}}));
  return list;
}

std::unique_ptr<Worker> Worker::start(Context& context, Config config, Mux::Acceptor calls, Events events) {
  auto worker = std::make_shared<BusWorker>(context, std::move(config), std::move(calls), std::move(events));
  context.loop().post([worker] { worker->begin(); });
  return std::make_unique<WorkerHandle>(context, worker);
}

}  // namespace lotse::bus
