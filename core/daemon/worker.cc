#include "core/daemon/worker.h"

#include <unistd.h>

#include "core/agent/agent.h"
#include "core/agent/checkpoint.h"
#include "core/agent/clear_up.h"
#include "core/agent/runtime_plugin.h"
#include "core/api/client.h"
#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/base/run_on.h"
#include "core/daemon/cluster.h"
#include "core/daemon/master.h"
#include "core/daemon/membership.h"
#include "core/daemon/proxy_modes.h"
#include "core/network/netlink.h"
#include "core/network/wiring.h"

namespace lotse::daemon {
namespace {

constexpr Duration kStopMax = std::chrono::seconds(10);
constexpr Duration kAskMax = std::chrono::seconds(30);
constexpr const char* kPauseImage = "lotse.local/pause:1";
constexpr Duration kImportMax = std::chrono::minutes(10);
constexpr const char* kSystemDir = "/var/lib/lotse";

// One node: its runtime, its session, its client and its agent. A hollow worker has many, and none sees the pods and events of
// another: an agent takes what it finds in its runtime for its own.
struct Node {
  std::string name;
  std::unique_ptr<plugin::RuntimePlugin> runtime;
  std::unique_ptr<agent::Runtime> adapter;
  std::unique_ptr<agent::Agent> agent;
  std::unique_ptr<bus::Worker> session;
  std::unique_ptr<api::Client> client;
  std::atomic<agent::Agent*> open_to{nullptr};  // for the bus's thread, once the agent is there
  std::atomic<bool> connected{false};
};

class RunningWorker : public Worker {
 public:
  RunningWorker(Base& base, Master* master) : base_(base), master_(master) {}

  ~RunningWorker() override {
    wait_for(base_.loop, kStopMax, [&](std::function<void()> done) { wiring_ ? wiring_->stop(done) : done(); });
    wait_for(base_.loop, kStopMax, [&](std::function<void()> done) { stop_agents(0, done); });
    if (membership_) membership_->close();
    // Agents use their sessions and sessions call their agents: first nothing comes in any more, then the agent goes, then the session.
    for (auto& n : nodes_)
      if (n->session) n->session->close();
    std::vector<std::unique_ptr<Node>> ending;
    run_on(base_.loop, [&] {
      alive_.reset();
      wiring_.reset();
      checkpoint_.reset();
      for (auto& n : nodes_) n->agent.reset(), n->client.reset();
      ending.swap(nodes_);
    });
    ending.clear();  // the runtimes, which may wait for calls of theirs
    proxy_.reset();
  }

  Status begin() {
    LOTSE_CHECK_OK(make_dirs(base_.dir() + "/worker", 0700));
    LOTSE_TRY(keys_, security::open_curve_pair(base_.dir() + "/worker/bus.key"));
    LOTSE_TRY(cluster_, membership());
    LOTSE_CHECK_OK(place_images());
    LOTSE_TRY(proxy_, base_.plugins.create_proxy(base_.host, base_.config));
    modes_ = std::make_unique<ProxyModes>(base_, proxy_->owned().name());
    LOTSE_CHECK_OK(modes_->begin());
    LOTSE_CHECK_OK(write_file_atomically(base_.dir() + "/cgroup-root", cgroup_root() + "\n", 0644));  // for who clears up
    hollow_ = base_.config.components.runtime == "hollow";
    const int count = hollow_ ? hollow_count() : 1;
    if (count > 1 && !master_) return Status(Reason::kInvalid, "[plugins.runtime.hollow] nodes above 1 needs the master in the same process: roles = [\"master\", \"worker\"]");
    for (int i = 0; i < count; ++i) {
      auto node = std::make_unique<Node>();
      node->name = count == 1 ? base_.config.daemon.node_name : base_.config.daemon.node_name + "-hollow-" + std::to_string(i);
      LOTSE_TRY(node->runtime, base_.plugins.create_runtime(base_.host, base_.config));
      node->adapter = std::make_unique<agent::PluginRuntime>(*node->runtime, base_.loop, base_.pool);
      nodes_.push_back(std::move(node));
    }
    return run_on(base_.loop, [&]() -> Status {
      for (auto& n : nodes_) begin_node(n.get());
      start_network();
      for (auto& n : nodes_) n->agent->start();
      return {};
    });
  }

  bool connected() const override { return !nodes_.empty() && nodes_[0]->connected; }
  std::string proxy() const override { return proxy_ ? proxy_->owned().name() : ""; }
  std::string runtime() const override {
    plugin::CallOptions options;
    options.timeout = std::chrono::seconds(5);
    auto info = runtime_plugin().call_and_wait(&lotse_runtime::info, MsgValue::map(), options);
    if (!info.ok()) return runtime_plugin().owned().name() + " (" + info.status().message + ")";
    return std::string((*info)["name"].as_text()) + " " + std::string((*info)["version"].as_text());
  }
  std::vector<const plugin::Owned*> plugins() const override {
    std::vector<const plugin::Owned*> out{&proxy_->owned()};
    for (const auto& n : nodes_) out.push_back(&n->runtime->owned());
    return out;
  }
  Result<std::vector<std::string>> import_image(const std::string& file) override {
    plugin::CallOptions options;
    options.timeout = kImportMax;
    LOTSE_TRY(MsgValue answer, runtime_plugin().call_and_wait(&lotse_runtime::image_import, MsgValue::map({{"path", file}}), options));
    return answer["images"].as_strings();
  }
  Result<std::vector<agent::ImageUse>> images() override {
    plugin::CallOptions options;
    options.timeout = kAskMax;
    // Containers after images: one that is made meanwhile counts.
    LOTSE_TRY(MsgValue images, runtime_plugin().call_and_wait(&lotse_runtime::image_list, MsgValue::map(), options));
    LOTSE_TRY(MsgValue containers, runtime_plugin().call_and_wait(&lotse_runtime::container_list, MsgValue::map(), options));
    return agent::image_uses(images, containers, kPauseImage);
  }
  Status remove_image(const std::string& id) override {
    plugin::CallOptions options;
    options.timeout = kAskMax;
    return runtime_plugin().call_and_wait(&lotse_runtime::image_remove, MsgValue::map({{"image", id}}), options).status();
  }
  Status reset(const std::function<void(const std::string&)>& say) override {
    wait_for(base_.loop, kStopMax, [&](std::function<void()> done) { wiring_->stop(done); });
    wait_for(base_.loop, kStopMax, [&](std::function<void()> done) { stop_agents(0, done); });
    plugin::CallOptions options;
    options.timeout = std::chrono::seconds(60);
    size_t ended = 0;
    for (auto& n : nodes_) {
      LOTSE_TRY(MsgValue list, n->runtime->call_and_wait(&lotse_runtime::sandbox_list, MsgValue::map(), options));
      for (const auto& sandbox : list["items"].items()) {
        const MsgValue which = MsgValue::map({{"id", sandbox["id"].as_text()}});
        // A sandbox whose process ends by itself meanwhile is refused once, and found gone the next time.
        Status status(Reason::kUnknownOutcome, "not tried");
        for (int tries = 0; tries < 5 && !status.ok(); ++tries) {
          auto stopped = n->runtime->call_and_wait(&lotse_runtime::sandbox_stop, which, options);
          auto removed = stopped.ok() ? n->runtime->call_and_wait(&lotse_runtime::sandbox_remove, which, options) : stopped;
          status = removed.status();
        }
        LOTSE_CHECK_OK(status);
      }
      ended += list["items"].items().size();
    }
    say("ended " + std::to_string(ended) + " pod(s)");
    if (hollow_) return {};
    LOTSE_CHECK_OK(modes_->remove_former());
    LOTSE_CHECK_OK(network::Wiring::remove_all(wiring_config(), proxy_.get()));
    say("took the pod network and the service rules out of the kernel");
    LOTSE_CHECK_OK(agent::clear_up(agent_config(nodes_[0]->name)));
    say("took down the pods' volumes and cgroups");
    return {};
  }
  void fault(const std::string& plugin, const std::string& id, const std::string& reason, const std::string& message) override {
    base_.loop.post([this, alive = std::weak_ptr<bool>(alive_), plugin, id, reason, message] {
      if (alive.expired() || nodes_.empty() || !nodes_[0]->agent) return;
      if (reason.empty()) nodes_[0]->agent->clear_fault(plugin + "/" + id);
      else nodes_[0]->agent->raise_fault(plugin + "/" + id, reason, message);
    });
  }

 private:
  // Where this node belongs: the master beside us, what was joined before, or the join string.
  Result<ClusterSettings> membership() {
    if (master_) return ClusterSettings(master_->cluster());
    LOTSE_TRY(membership_, Membership::open(base_, keys_));
    return ClusterSettings::decode(membership_->cluster().view());
  }

  // The pause image lies beside the binary and is imported like every other archive in DIR/images.
  Status place_images() {
    LOTSE_CHECK_OK(make_dirs(base_.dir() + "/images", 0700));
    char self[4096];
    const ssize_t size = readlink("/proc/self/exe", self, sizeof self);
    if (size <= 0) return {};
    const std::string binary(self, static_cast<size_t>(size));
    const std::string source = binary.substr(0, binary.rfind('/')) + "/../share/lotse/pause.tar", target = base_.dir() + "/images/pause.tar";
    auto bytes = read_file(source, 16 << 20);
    if (!bytes.ok()) return {};  // another one may have been put into DIR/images
    if (auto there = read_file(target, 16 << 20); there.ok() && *there == *bytes) return {};
    return write_file_atomically(target, *bytes, 0644);
  }

  int hollow_count() const {
    const auto* table = base_.config.plugin("runtime", "hollow");
    if (!table) return 1;
    auto section = base_.plugins.section("runtime", "hollow");
    if (!section.ok()) return 1;
    config::Complaints ignored(base_.config.file_name());
    return std::max<int>(1, static_cast<int>(config::check_plugin(base_.config, "runtime", "hollow", section->keys, &ignored)["nodes"].as_int(1)));
  }

  // One a family that pods have: the daemon's own address, and that of the default route of the other family.
  std::vector<std::string> node_ips() const {
    std::vector<std::string> out;
    auto netlink = network::Netlink::open();
    for (const auto& cidr : cluster_.pod_cidrs) {
      const bool six = cidr.find(':') != std::string::npos;
      std::string ip = (base_.node_address.find(':') != std::string::npos) == six ? base_.node_address : std::string();
      if (ip.empty() && netlink.ok())
        if (auto found = (*netlink)->default_address(six); found.ok()) ip = *found;
      if (!ip.empty()) out.push_back(ip);
    }
    if (out.empty()) out.push_back(base_.node_address);
    return out;
  }

  agent::Config agent_config(const std::string& name) const {
    agent::Config c;
    c.node_name = name;
    c.node_ips = node_ips();
    c.hostname = base_.config.daemon.node_name;
    c.version = base_.version;
    c.data_dir = base_.dir();
    const bool system_wide = base_.dir() == kSystemDir;
    c.pod_log_dir = system_wide ? "/var/log/pods" : base_.dir() + "/log/pods";
    c.container_log_dir = system_wide ? "/var/log/containers" : base_.dir() + "/log/containers";
    c.pause_image = kPauseImage;
    c.checkpoint_key = keys_.secret_z85;
    c.cluster_dns = cluster_.dns_addresses();
    c.cluster_domain = cluster_.domain;
    c.hollow = hollow_;
    if (!hollow_) c.cni_dir = base_.dir() + "/cni/net.d";
    c.cgroup_root = cgroup_root();
    const auto& w = base_.config.worker;
    c.pods_max = w.pods_max;
    c.care_period = Duration(w.care_period);
    c.pressure = {w.memory_available, w.disk_available_percent, w.inodes_free_percent, Duration(w.transition)};
    c.images = {w.gc_high_percent, w.gc_low_percent, Duration(w.gc_age_min), Duration(w.gc_period)};
    c.logs = {w.log_file_size, w.log_files};
    for (const auto& r : base_.config.registries) c.registries.push_back({r.host, r.mirrors, r.ca_file, r.username, r.password, r.password_file, r.insecure});
    return c;
  }
  // Several daemons on one machine do not share their pods' cgroups.
  std::string cgroup_root() const {
    return base_.dir() == kSystemDir ? "kubepods" : "kubepods-" + sha256_hex(base_.dir()).substr(0, 8);
  }

  plugin::RuntimePlugin& runtime_plugin() const { return *nodes_[0]->runtime; }

  void admit(const std::string& node) {
    master_->registry().admit(node, keys_.public_z85, [node](Status status) {
      if (!status.ok()) log::warn("daemon.node_not_admitted", "other masters will not know this node", {{"node", node}, {"reason", status.message}});
    });
  }

  // [loop]
  void begin_node(Node* n) {
    bus::Worker::Config c;
    c.node = n->name;
    c.keys = keys_;
    if (membership_) c.masters = membership_->masters();
    // Beside one of several masters: the others know this node by its key. Hollow nodes share a key, which is good for one of them only.
    c.dial_others = !membership_ && master_->store().shared() && nodes_.size() == 1;
    if (c.dial_others) admit(n->name);
    c.version = base_.version;
    bus::Worker::Events events;
    events.connected = [this, n](const bus::Welcome& welcome) {
      n->connected = true;
      if (membership_) membership_->welcomed(welcome);
    };
    events.lost = [n] { n->connected = false; };
    events.refused = [this, n](const std::string&) {
      if (!membership_) return admit(n->name);  // its Node was deleted, and it is here all the same
      membership_->join_again([n](std::vector<bus::MasterAddress> masters) { n->session->set_masters(std::move(masters)); });
    };
    n->session = bus::Worker::start(
        base_.bus, c,
        [n](const std::string& kind, Bytes arguments, SinkPtr sink) -> Result<StreamPtr> {
          agent::Agent* agent = n->open_to;
          if (!agent) return Status(Reason::kServiceUnavailable, "the node is starting");
          return agent->open(kind, arguments.view(), std::move(sink));
        },
        std::move(events));
    n->client = std::make_unique<api::Client>(*n->session, base_.loop, nullptr, "lotse-agent/" + base_.version);
    n->agent = std::make_unique<agent::Agent>(agent_config(n->name), *n->client, *n->adapter, base_.loop, base_.pool);
    n->open_to = n->agent.get();
  }

  network::Wiring::Config wiring_config() const {
    network::Wiring::Config c;
    c.node_name = nodes_[0]->name;
    c.node_ips = node_ips();
    c.cluster_cidrs = cluster_.pod_cidrs;
    c.dns_addresses = cluster_.dns_addresses();
    c.domain = cluster_.domain;
    c.backend = cluster_.backend;
    c.data_dir = base_.dir();
    c.pods = !hollow_;
    c.rules_are_in = [this] { return modes_->remove_former(); };
    return c;
  }

  // [loop]
  void start_network() {
    agent::Agent* agent = nodes_[0]->agent.get();
    wiring_ = std::make_unique<network::Wiring>(wiring_config(), *nodes_[0]->client, proxy_.get(), base_.pool, [agent](Status status) { agent->set_network(status); }, memory());
    if (!hollow_) agent->on_node([this](const ObjectPtr& node) { wiring_->set_node(node); });
    wiring_->start();
  }

  // What the network follows lies beside what the agent keeps, sealed with the same key.
  network::Wiring::Memory memory() {
    if (hollow_) return {};
    checkpoint_ = std::make_unique<agent::Checkpoint>(base_.dir() + "/agent", keys_.secret_z85, base_.loop, base_.pool);
    return {[this](const std::string& set) { return checkpoint_->read(set); },
            [this](const std::string& set, std::function<std::vector<ObjectPtr>()> collect) { checkpoint_->write_soon(set, std::move(collect)); }};
  }

  void stop_agents(size_t from, std::function<void()> done) {
    if (from == nodes_.size() || !nodes_[from]->agent) return done();
    nodes_[from]->agent->stop([this, from, done] { stop_agents(from + 1, done); });
  }

  Base& base_;
  Master* master_;
  security::CurvePair keys_;
  std::unique_ptr<Membership> membership_;  // null: the master is in this process
  ClusterSettings cluster_;
  bool hollow_ = false;
  std::unique_ptr<plugin::ProxyPlugin> proxy_;
  std::unique_ptr<ProxyModes> modes_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::unique_ptr<network::Wiring> wiring_;
  std::unique_ptr<agent::Checkpoint> checkpoint_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // [loop] ends it
};

}  // namespace

Result<std::unique_ptr<Worker>> Worker::start(Base& base, Master* master) {
  auto worker = std::make_unique<RunningWorker>(base, master);
  LOTSE_CHECK_OK(worker->begin());
  return std::unique_ptr<Worker>(std::move(worker));
}

}  // namespace lotse::daemon
