#include "core/daemon/master.h"

#include <sys/stat.h>

#include "core/api/transport_host.h"
#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/base/run_on.h"
#include "core/daemon/clock_watch.h"
#include "core/daemon/kubeconfig.h"
#include "core/daemon/leadership.h"
#include "core/daemon/lease_keeper.h"
#include "core/daemon/master_join.h"
#include "core/daemon/presence.h"
#include "core/daemon/tls_material.h"

namespace lotse::daemon {
namespace {

constexpr Duration kBootstrapMax = std::chrono::seconds(60);
constexpr Duration kDrainMax = std::chrono::seconds(5);

std::string port_of(const std::string& address) { return address.substr(address.rfind(':') + 1); }
bool is_wildcard(const std::string& address) { return address.starts_with("0.0.0.0:") || address.starts_with("[::]:") || address.starts_with("*:"); }

class RunningMaster : public Master {
 public:
  explicit RunningMaster(Base& base) : base_(base), pki_(base.dir() + "/pki") {}

  // From the outside in: nobody may ask any more, then nothing is under way, then nobody is there. Requests that are in the server hold
  // it, the store and the bus: each of these goes only when the loop has worked off what was posted about them.
  ~RunningMaster() override {
    if (presence_) presence_->end();
    if (leadership_) leadership_->end();
    run_on(base_.loop, [&] {
      if (leases_) leases_->end();
      clock_watch_.reset();
      if (tls_) tls_->end();
    });
    if (bus_) bus_->close();  // logs and execs that go over it end, and with them what transports would wait for
    for (auto& t : transports_) drain(*t);
    transports_.clear();
    if (server_) server_->set_nodes(nullptr);
    settle();
    bus_.reset();
    if (store_ && !store_->close(kDrainMax)) log::warn("daemon.commits_lost", "the store did not answer all changes in time");
    settle();
    run_on(base_.loop, [&] { leases_.reset(); });
    leadership_.reset();
    run_on(base_.loop, [&] { presence_.reset(); });
    transport_host_.reset();
    registry_.reset();
    run_on(base_.loop, [&] { server_.reset(); });
    settle();
    run_on(base_.loop, [&] { store_.reset(); });
    state_.reset();
  }

  Status begin() {
    LOTSE_TRY(state_, base_.plugins.create_state(base_.host, base_.config));
    store::Options options;
    options.loop = &base_.loop;
    options.pool = &base_.pool;
    LOTSE_TRY(store_, store::Store::open(*state_, Clock::system(), options));
    LOTSE_TRY(cluster_, settle_cluster(*store_, base_.config.network, base_.config.file_name()));
    LOTSE_CHECK_OK(make_dirs(pki_, 0700));
    LOTSE_TRY(bus_keys_, security::open_curve_pair(pki_ + "/bus.key"));
    if (store_->shared()) LOTSE_CHECK_OK(fetch_master_keys(base_, *store_, pki_, bus_keys_));
    LOTSE_TRY(authority_, security::Authority::open(pki_, Clock::system()));
    LOTSE_TRY(tokens_, security::TokenIssuer::open(pki_, "https://kubernetes.default.svc." + cluster_.domain, Clock::system()));
    cluster_.ca_pem = authority_->ca_pem();
    if (store_->shared()) LOTSE_CHECK_OK(settle_authority(*store_, cluster_.ca_pem));

    api::ServerConfig config;
    config.service_cidrs = cluster_.service_cidrs;
    config.pod_cidrs = cluster_.pod_cidrs;
    config.cluster_domain = cluster_.domain;
    config.version = base_.version;
    server_ = api::Server::make(*store_, *authority_, *tokens_, base_.loop, base_.pool, Clock::system(), config);
    LOTSE_CHECK_OK(bootstrap());
    LOTSE_CHECK_OK(start_transports());
    LOTSE_CHECK_OK(start_bus());
    LOTSE_CHECK_OK(write_admin_kubeconfig(*authority_, Clock::system(), kubeconfig_file(), local_server()));
    LOTSE_CHECK_OK(run_on(base_.loop, [&]() -> Status {
      LOTSE_TRY(clock_watch_, ClockWatch::start(base_.loop, [this] { look_at_certificates(); }));
      return {};
    }));
    return start_loops();
  }

  const ClusterSettings& cluster() const override { return cluster_; }
  std::vector<std::string> addresses() const override {
    std::vector<std::string> out;
    for (const auto& t : transports_)
      for (auto& a : t->addresses()) out.push_back(t->owned().name() + " " + a);
    return out;
  }
  std::string kubeconfig_file() const override { return base_.dir() + "/admin.kubeconfig"; }
  bus::Registry& registry() override { return *registry_; }
  std::vector<std::string> connected_nodes() const override { return bus_->nodes(); }
  bus::MasterAddress bus_address() const override { return {{"tcp://" + base_.node_address + ":" + port_of(bus_->endpoint())}, bus_keys_.public_z85}; }
  store::Store& store() override { return *store_; }
  api::Handler& api() override { return *server_; }
  std::vector<const plugin::Owned*> plugins() const override {
    std::vector<const plugin::Owned*> out{&state_->owned()};
    for (const auto& t : transports_) out.push_back(&t->owned());
    return out;
  }
  void set_policies(std::vector<std::unique_ptr<plugin::SchedulerPlugin>> policies, const config::Config& config) override {
    leadership_->set_policies(std::move(policies), config);
  }
  Status rotate_certificates() override {
    LOTSE_CHECK_OK(remove_file(pki_ + "/serving.crt"));  // one that is not there is made, also when we end before that
    LOTSE_CHECK_OK(run_on(base_.loop, [&] { return tls_->renew(); }));
    return write_admin_kubeconfig(*authority_, Clock::system(), kubeconfig_file(), local_server(), true);
  }
  bool leads() const override { return leadership_ && leadership_->leads(); }
  void fault(const std::string& plugin, const std::string&, const std::string& reason) override {
    if (plugin.starts_with("state")) base_.loop.post([this, ready = reason.empty()] { if (server_) server_->set_ready("store", ready); });
  }

 private:
  // What is posted may post once more: an answer, and what its receiver does about it.
  void settle() {
    for (int turn = 0; turn < 4; ++turn) run_on(base_.loop, [] {});
  }

  Status bootstrap() {
    auto result = std::make_shared<Status>(Reason::kTimeout, "the first objects were not stored in time");
    wait_for(base_.loop, kBootstrapMax, [&](std::function<void()> done) {
      server_->bootstrap([result, done](Status status) {
        *result = std::move(status);
        done();
      });
    });
    return *result;
  }

  std::string advertise() const { return base_.config.api.advertise_address.empty() ? base_.node_address : base_.config.api.advertise_address; }

  Status start_transports() {
    std::vector<std::string> dns = {"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + cluster_.domain,
                                    base_.config.daemon.node_name};
    std::vector<std::string> ips = {"127.0.0.1", advertise()};
    if (base_.node_address != advertise()) ips.push_back(base_.node_address);
    for (const auto& cidr : cluster_.service_cidrs) ips.push_back(nth_address(cidr, 1));
    for (const auto& san : base_.config.api.tls_san) (san.find_first_not_of("0123456789.:abcdefABCDEF") == san.npos && san.find_first_of(".:") != san.npos ? ips : dns).push_back(san);
    tls_ = std::make_unique<TlsMaterial>(*authority_, bus_keys_, base_.loop, dns, ips);
    tls_->also([this] { keep_kubeconfig(); });
    LOTSE_CHECK_OK(tls_->begin());
    transport_host_ = std::make_unique<api::TransportHost>(*server_);
    base_.host.offer(LOTSE_HOST_TLS, tls_->service());
    transport_host_->offer(base_.host);
    for (const auto& name : base_.config.components.transport) {
      LOTSE_TRY(auto transport, base_.plugins.create_transport(base_.host, base_.config, name));
      LOTSE_CHECK_OK(transport->start());
      for (const auto& address : transport->addresses()) {
        log::info("daemon.listening", "the API is served", {{"transport", name}, {"address", address}});
        if (name == "rest" && rest_address_.empty() && !address.starts_with("unix:")) rest_address_ = address;
      }
      transports_.push_back(std::move(transport));
    }
    cluster_.api_address = advertise() + ":" + (rest_address_.empty() ? "6443" : port_of(rest_address_));
    return {};
  }

  // [loop] The clock was set, by hand or at the end of a long sleep: what was good until then may not be now.
  void look_at_certificates() {
    if (Status status = tls_->renew(); !status.ok()) log::error("daemon.certificate_kept", "the serving certificate could not be renewed", {{"reason", status.message}});
    keep_kubeconfig();
  }

  void keep_kubeconfig() {
    if (Status status = write_admin_kubeconfig(*authority_, Clock::system(), kubeconfig_file(), local_server()); !status.ok())
      log::error("daemon.kubeconfig_kept", "the administrator's certificate could not be renewed", {{"reason", status.message}});
  }

  std::string local_server() const {
    if (rest_address_.empty()) return "https://" + cluster_.api_address;
    return "https://" + (is_wildcard(rest_address_) ? "127.0.0.1:" + port_of(rest_address_) : rest_address_);
  }

  Status start_bus() {
    registry_ = bus::Registry::make(*store_, Clock::system());
    leases_ = std::make_unique<LeaseKeeper>(*server_, base_.loop);
    bus::Master::Config config;
    config.listen = base_.config.bus.listen;
    if (base_.config.is_worker()) config.local_node = base_.config.daemon.node_name;
    config.keys = bus_keys_;
    config.cluster_id = store_->cluster_id();
    config.cluster = cluster_.encode();
    if (!config.listen.empty()) config.masters = {{{"tcp://" + base_.node_address + ":" + port_of(config.listen)}, bus_keys_.public_z85}};
    if (store_->shared()) {
      LOTSE_CHECK_OK(be_present());
      config.masters = presence_->masters();
      config.admit_master = [this](std::string token, std::string name, std::string key, std::function<void(Result<Bytes>)> done) {
        admit_master(std::move(token), std::move(name), std::move(key), std::move(done));
      };
    }
    LOTSE_TRY(bus_, bus::Master::start(base_.bus, config, *server_, registry_, [this](const std::string& node) { leases_->heard(node); }));
    server_->set_nodes(bus_.get());
    if (presence_) return presence_->start([this](std::vector<bus::MasterAddress> masters) { bus_->set_masters(std::move(masters)); });
    return {};
  }

  Status be_present() {
    control::MasterRecord self;
    self.name = base_.config.daemon.node_name;
    self.api_address = advertise();
    self.api_port = std::atoi(port_of(cluster_.api_address).c_str());
    if (!base_.config.bus.listen.empty()) self.endpoints = {"tcp://" + base_.node_address + ":" + port_of(base_.config.bus.listen)};
    self.bus_key = bus_keys_.public_z85;
    presence_ = std::make_unique<Presence>(*store_, *server_, base_.loop, std::move(self));
    return presence_->begin();
  }

  // A master gets everything that makes a cluster's master: its token is worth as much as the CA's key.
  void admit_master(const std::string& token, const std::string& name, const std::string& key, std::function<void(Result<Bytes>)> done) {
    if (auto there = store_->get({control::kMasters, "", name}); there.ok() && control::MasterRecord::of(**there).bus_key != key)
      return done(Status(Reason::kConflict, "another master is called " + name + " already"));
    registry_->spend_master_token(token, [this, name, key, done](Status status) {
      if (!status.ok()) return done(std::move(status));
      log::info("daemon.master_admitted", "another master gets the cluster's keys", {{"node", name}});
      if (!base_.pool.submit([pki = pki_, key, done] { done(sealed_master_keys(pki, key)); })) done(Status(Reason::kTooManyRequests, "there is too much else to do"));
    });
  }

  Status start_loops() {
    control::Settings settings;
    settings.pod_cidrs = cluster_.pod_cidrs;
    settings.service_cidrs = cluster_.service_cidrs;
    settings.advertise_address = advertise();
    settings.api_port = static_cast<uint16_t>(std::atoi(port_of(cluster_.api_address).c_str()));
    settings.ca_pem = cluster_.ca_pem;
    settings.load_balancer = base_.config.network.load_balancer;
    settings.resources = control::schema_resources();
    leadership_ = std::make_unique<Leadership>(base_, *store_, *server_, std::move(settings), base_.config.daemon.node_name + "_" + sha256_hex(bus_keys_.public_z85).substr(0, 16));
    return leadership_->start();
  }

  void drain(const plugin::TransportPlugin& transport) {
    plugin::CallOptions options;
    options.timeout = kDrainMax;
    wait_for(base_.loop, kDrainMax + std::chrono::seconds(1), [&](std::function<void()> done) { transport.drain(options, [done](Status, Bytes) { done(); }); });
  }

  Base& base_;
  std::string pki_;
  std::unique_ptr<plugin::StatePlugin> state_;
  std::unique_ptr<store::Store> store_;
  ClusterSettings cluster_;
  std::unique_ptr<security::Authority> authority_;
  std::unique_ptr<security::TokenIssuer> tokens_;
  security::CurvePair bus_keys_;
  std::unique_ptr<LeaseKeeper> leases_;
  std::unique_ptr<api::Server> server_;
  std::unique_ptr<TlsMaterial> tls_;
  std::unique_ptr<ClockWatch> clock_watch_;
  std::unique_ptr<api::TransportHost> transport_host_;
  std::vector<std::unique_ptr<plugin::TransportPlugin>> transports_;
  std::string rest_address_;
  std::shared_ptr<bus::Registry> registry_;
  std::unique_ptr<bus::Master> bus_;
  std::unique_ptr<Leadership> leadership_;
  std::unique_ptr<Presence> presence_;  // null: there is no other master
};

}  // namespace

Result<std::unique_ptr<Master>> Master::start(Base& base) {
  auto master = std::make_unique<RunningMaster>(base);
  LOTSE_CHECK_OK(master->begin());
  return std::unique_ptr<Master>(std::move(master));
}

}  // namespace lotse::daemon
