#include "core/network/wiring.h"

#include "core/base/file.h"
#include "core/base/log.h"

namespace lotse::network {
namespace {

constexpr Duration kRetryFirst = std::chrono::seconds(1), kRetryLast = std::chrono::seconds(30);
constexpr const char *kServices = "net-services", *kSlices = "net-endpointslices", *kNodes = "net-nodes";

PodNetwork::Config pod_config(const Wiring::Config& c) {
  PodNetwork::Config out;
  out.cni_dir = c.data_dir + "/cni/net.d";
  out.ipam_dir = c.data_dir + "/cni/ipam";
  out.cluster_cidrs = c.cluster_cidrs;
  out.backend = c.backend;
  return out;
}

// Work that must be done until it has succeeded, one at a time, on the pool; asked for again while it runs, it runs once more.
class Task {
 public:
  Task(Loop& loop, WorkerPool& pool) : loop_(loop), pool_(pool) {}
  // prepare runs on the loop and gives what runs on the pool; done gets the outcome, on the loop.
  void setup(std::function<std::function<Status()>()> prepare, std::function<void(const Status&)> done) {
    prepare_ = std::move(prepare);
    done_ = std::move(done);
  }
  void want() {
    if (stopping_) return;
    wanted_ = true;
    if (!running_) run();
  }
  // Nothing is begun any more; stopped: what runs has ended.
  void stop(std::function<void()> stopped) {
    wanted_ = false;
    timer_.reset();
    stopping_ = true;
    if (!running_) return stopped();
    stopped_ = std::move(stopped);
  }

 private:
  void run() {
    wanted_ = false;
    timer_.reset();
    std::function<Status()> work = prepare_();
    if (!work) return;
    running_ = true;
    auto finish = [this](Status status) {
      running_ = false;
      done_(status);
      if (stopping_) return std::exchange(stopped_, nullptr)();
      if (status.ok()) wait_ = kRetryFirst;
      if (wanted_) return run();
      if (status.ok()) return;
      timer_ = loop_.after(wait_, [this] { want(); });
      wait_ = std::min(wait_ * 2, kRetryLast);
    };
    if (!pool_.submit([this, work, finish] { loop_.post([finish, status = work()] { finish(status); }); }))
      loop_.post([finish] { finish(Status(Reason::kTooManyRequests, "all worker threads are busy")); });
  }
  Loop& loop_;
  WorkerPool& pool_;
  std::function<std::function<Status()>()> prepare_;
  std::function<void(const Status&)> done_;
  bool wanted_ = false, running_ = false, stopping_ = false;
  std::function<void()> stopped_;
  Duration wait_ = kRetryFirst;
  Handle timer_;
};

std::vector<std::string> internal_ips(const json::Value& node) {
  std::vector<std::string> out;
  for (const auto& a : node["status"]["addresses"].items())
    if (a["type"].str() == "InternalIP") out.emplace_back(a["address"].str());
  return out;
}

std::vector<std::string> pod_cidrs(const json::Value& node) {
  std::vector<std::string> out;
  for (const auto& c : node["spec"]["podCIDRs"].items()) out.emplace_back(c.str());
  if (out.empty() && !node["spec"]["podCIDR"].str().empty()) out.emplace_back(node["spec"]["podCIDR"].str());
  return out;
}

}  // namespace

struct Wiring::Impl : std::enable_shared_from_this<Impl> {
  Impl(Config c, api::Client& cl, const plugin::ProxyPlugin* p, WorkerPool& w, std::function<void(Status)> r, Memory m)
      : config(std::move(c)), client(cl), proxy(p), pool(w), ready(std::move(r)), memory(std::move(m)), services(config.node_name, config.dns_addresses), zone(config.domain, services),
        pod_network(pod_config(config)), self_task(client.loop(), pool), nodes_task(client.loop(), pool), proxy_task(client.loop(), pool) {}

  void start() {
    self_task.setup([this] { return self_work(); }, [this](const Status& s) { self_done(s); });
    nodes_task.setup([this] { return nodes_work(); }, [this](const Status& s) { report("routes to other nodes", s); });
    proxy_task.setup([this] { return proxy_work(); }, [this](const Status& s) { proxy_done(s); });
    services_follow = std::make_unique<Follow>(client, api::ResourceRef{"", "v1", "services"}, api::ListOptions{},
        [this](const std::string& ns, const std::string& name, const ObjectPtr& o) { services.set_service(ns, name, o), changed(), remember(kServices); },
        [this] { services_synced = true, changed(), remember(kServices); });
    slices_follow = std::make_unique<Follow>(client, api::ResourceRef{"discovery.k8s.io", "v1", "endpointslices"}, api::ListOptions{},
        [this](const std::string& ns, const std::string& name, const ObjectPtr& o) { services.set_slice(ns, name, o), changed(), remember(kSlices); },
        [this] { slices_synced = true, changed(), remember(kSlices); });
    if (config.pods) ready(Status(Reason::kServiceUnavailable, "the node has no pod network yet"));
    else ready(Status());
    recall();
    services_follow->start();
    slices_follow->start();
    if (!config.pods) return;
    nodes_follow = std::make_unique<Follow>(client, api::ResourceRef{"", "v1", "nodes"}, api::ListOptions{},
        [this](const std::string&, const std::string& name, const ObjectPtr& o) { set_other(name, o); }, [] {});
    nodes_follow->preset(std::exchange(recalled_nodes, {}));
    nodes_follow->start();
  }

  // ---- across restarts ----
  // Services without their slices would have no endpoints: either both were kept, or neither counts.
  void recall() {
    if (!memory.read) return;
    auto kept_services = memory.read(kServices), kept_slices = memory.read(kSlices);
    if (!kept_services.empty() && !kept_slices.empty()) {
      recalling = true;
      services_follow->preset(kept_services);
      slices_follow->preset(kept_slices);
      recalling = false;
      services_synced = slices_synced = true;
      changed();
    }
    if (config.pods) recalled_nodes = memory.read(kNodes);
  }
  void remember(const char* set) {
    if (!memory.write_soon || recalling) return;
    memory.write_soon(set, [weak = weak_from_this(), set]() -> std::vector<ObjectPtr> {
      auto self = weak.lock();
      if (!self) return {};
      if (set == kNodes) return self->node_records();
      const auto& follow = set == kServices ? self->services_follow : self->slices_follow;
      return follow ? follow->objects() : std::vector<ObjectPtr>();
    });
  }
  // Of nodes only what routes are made of: their statuses change all the time.
  std::vector<ObjectPtr> node_records() const {
    std::vector<ObjectPtr> out;
    auto add = [&out](const NodeNetwork& n) {
      json::Value v = json::Value::object({{"apiVersion", "v1"}, {"kind", "Node"}});
      v["metadata"]["name"] = n.name;
      json::Value cidrs = json::Value::array();
      for (const auto& c : n.pod_cidrs) cidrs.push(c);
      v["spec"]["podCIDRs"] = cidrs;
      json::Value addresses = json::Value::array();
      for (const auto& ip : n.ips) addresses.push(json::Value::object({{"type", "InternalIP"}, {"address", ip}}));
      v["status"]["addresses"] = addresses;
      out.push_back(Object::from_value(std::move(v), 0));
    };
    if (!own_cidrs.empty()) add({config.node_name, config.node_ips, own_cidrs});
    for (const auto& [name, n] : others) add(n);
    return out;
  }

  // ---- the pod network of this node ----
  void set_node(const ObjectPtr& node) {
    auto cidrs = pod_cidrs(node->value());
    if (cidrs.empty() || cidrs == own_cidrs || !config.pods) return;
    own_cidrs = std::move(cidrs);
    remember(kNodes);
    self_task.want();
  }
  std::function<Status()> self_work() {
    if (own_cidrs.empty()) return nullptr;
    return [this, cidrs = own_cidrs]() -> Status {
      std::lock_guard lock(kernel);
      LOTSE_CHECK_OK(pod_network.set_self(config.node_ips.front(), cidrs));
      return pod_network.hold(config.dns_addresses);
    };
  }
  void self_done(const Status& status) {
    report("the pod network", status);
    network_made = network_made || status.ok();
    if (status.ok() && !dns) {
      dns::Server::Config c;
      c.addresses = config.dns_addresses;
      auto conf = read_file(config.resolv_conf, 1 << 16);
      c.upstreams = dns::nameservers(conf.ok() ? *conf : std::string(), config.dns_addresses);
      auto server = dns::Server::start(client.loop(), std::move(c), zone);
      if (server.ok()) dns = *std::move(server);
      else log::error("network.no_dns", "the DNS server could not be started", {{"reason", server.status().message}});
    }
    if (status.ok()) nodes_task.want(), proxy_task.want();
    ready(status);
  }

  // ---- other nodes ----
  void set_other(const std::string& name, const ObjectPtr& object) {
    if (name == config.node_name) {
      if (object) set_node(object);
      return;
    }
    NodeNetwork n;
    if (object) {
      json::Value v = object->value();
      n = {name, internal_ips(v), pod_cidrs(v)};
    }
    auto it = others.find(name);
    if (!object || n.ips.empty() || n.pod_cidrs.empty()) {
      if (it == others.end()) return;
      others.erase(it);
    } else {
      if (it != others.end() && it->second == n) return;
      others[name] = std::move(n);
    }
    remember(kNodes);
    if (!own_cidrs.empty()) nodes_task.want();
  }
  std::function<Status()> nodes_work() {
    if (own_cidrs.empty()) return nullptr;
    std::vector<NodeNetwork> list;
    for (const auto& [name, n] : others) list.push_back(n);
    return [this, list]() -> Status {
      std::lock_guard lock(kernel);
      return pod_network.set_nodes(list);
    };
  }

  // ---- the proxy ----
  void changed() {
    if (!proxy || !services_synced || !slices_synced) return;
    if (config.pods) {
      if (!health) health = std::make_unique<HealthPorts>(client.loop());
      health->set(services.health_ports());
    }
    proxy_task.want();
  }
  std::function<Status()> proxy_work() {
    // The network's rules go in first: those of Services, which may refuse, must come before what lets pods' traffic pass.
    if (!proxy || !services_synced || !slices_synced || (config.pods && !network_made)) return nullptr;
    const bool whole = whole_table || own_cidrs != told_cidrs;
    if (!whole && !services.has_changes()) return nullptr;
    MsgValue table = whole ? services.table(config.node_ips, own_cidrs, config.cluster_cidrs) : services.changes();
    whole_table = false;
    told_cidrs = own_cidrs;
    return [this, whole, table = std::move(table)]() -> Status {
      plugin::CallOptions options;
      options.timeout = std::chrono::seconds(120);
      auto answer = proxy->call_and_wait(whole ? &lotse_proxy::resync : &lotse_proxy::apply, table, options);
      if (!answer.ok()) return answer.status();
      if (whole && config.rules_are_in && !std::exchange(told_of_rules, true))
        if (Status status = config.rules_are_in(); !status.ok()) log::warn("network.former_rules", "rules of a former proxy mode could not be removed", {{"reason", status.message}});
      for (const auto& p : (*answer)["problems"].items())
        log::warn("network.service_problem", std::string(p["message"].as_text()), {{"service", p["id"].as_text()}, {"reason", p["reason"].as_text()}});
      return {};
    };
  }
  void proxy_done(const Status& status) {
    if (!status.ok()) whole_table = true;
    report("the service rules", status);
    if (status.ok() && services.has_changes()) proxy_task.want();
  }

  void report(const char* what, const Status& status) {
    if (!status.ok()) log::warn("network.failed", std::string(what) + " could not be set up; it is tried again", {{"reason", status.message}});
  }

  void stop(std::function<void()> done) {
    // They keep their objects: a checkpoint may be about to be written.
    for (auto* follow : {&services_follow, &slices_follow, &nodes_follow})
      if (*follow) (*follow)->stop();
    dns.reset();
    health.reset();
    auto left = std::make_shared<int>(3);
    for (Task* t : {&self_task, &nodes_task, &proxy_task})
      t->stop([self = shared_from_this(), left, done] {
        if (--*left == 0) done();
      });
  }

  Config config;
  api::Client& client;
  const plugin::ProxyPlugin* proxy;
  WorkerPool& pool;
  std::function<void(Status)> ready;
  Memory memory;
  std::vector<ObjectPtr> recalled_nodes;
  bool recalling = false;
  Services services;
  dns::Zone zone;
  std::unique_ptr<dns::Server> dns;
  std::unique_ptr<HealthPorts> health;
  bool told_of_rules = false;  // [worker] one piece of work at a time
  std::mutex kernel;  // pod_network's calls come one at a time
  PodNetwork pod_network;
  std::vector<std::string> own_cidrs, told_cidrs;
  std::map<std::string, NodeNetwork> others;
  bool services_synced = false, slices_synced = false, whole_table = true, network_made = false;
  Task self_task, nodes_task, proxy_task;
  std::unique_ptr<Follow> services_follow, slices_follow, nodes_follow;
};

Wiring::Wiring(Config config, api::Client& client, const plugin::ProxyPlugin* proxy, WorkerPool& pool, std::function<void(Status)> ready, Memory memory)
    : impl_(std::make_shared<Impl>(std::move(config), client, proxy, pool, std::move(ready), std::move(memory))) {}
Wiring::~Wiring() = default;
void Wiring::start() { impl_->start(); }
void Wiring::set_node(const ObjectPtr& node) { impl_->set_node(node); }
void Wiring::stop(std::function<void()> done) { impl_->stop(std::move(done)); }
std::string Wiring::cni_dir() const { return pod_config(impl_->config).cni_dir; }

Status Wiring::remove_all(const Config& config, const plugin::ProxyPlugin* proxy) {
  if (proxy) {
    plugin::CallOptions options;
    options.timeout = std::chrono::seconds(60);
    auto answer = proxy->call_and_wait(&lotse_proxy::remove_all, MsgValue::map(), options);
    if (!answer.ok()) return answer.status();
  }
  PodNetwork network(pod_config(config));
  return network.remove_all();
}

}  // namespace lotse::network
