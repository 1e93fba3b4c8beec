// The server's own parts, shared by the files of this room; each verb and subresource has a file of its own (verbs.h).
#pragma once
#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "core/api/call.h"
#include "core/api/in_flight.h"
#include "core/api/metrics.h"
#include "core/api/server.h"

namespace lotse::api {

class WatchRegistry;
class ServiceAddresses;

class ServerImpl : public Server {
 public:
  ServerImpl(store::Store& store, security::Authority& authority, security::TokenIssuer& tokens, Loop& loop, WorkerPool& pool,
             Clock& clock, ServerConfig config);
  ~ServerImpl() override;

  void handle(Request request, Respond respond) override;
  void set_nodes(Nodes* nodes) override { nodes_ = nodes; }
  void set_ready(std::string check, bool ready) override;
  security::Authorizer& authorizer() override { return *authorizer_; }
  void bootstrap(std::function<void(Status)> done) override;
  void add_metric(std::string name, std::string help, std::function<double()> value) override;

  // For the files of this room.
  store::Store& store() { return store_; }
  security::Authority& authority() { return authority_; }
  security::TokenIssuer& tokens() { return tokens_; }
  security::Authenticator& authenticator() { return authenticator_; }
  Loop& loop() { return loop_; }
  Clock& clock() { return clock_; }
  const ServerConfig& config() const { return config_; }
  Nodes* nodes() { return nodes_; }
  Metrics& metrics() { return metrics_; }
  InFlight& in_flight() { return *in_flight_; }
  ServiceAddresses& addresses() { return *addresses_; }
  WatchRegistry& watches() { return *watches_; }
  ObjectPtr find(std::string_view group, std::string_view resource, std::string_view ns, std::string_view name);
  std::map<std::string, bool> checks() const;
  // As the server itself: system:apiserver, in system:masters.
  void ask_as_server(Request request, Respond respond);
  std::weak_ptr<bool> alive() const { return alive_; }
  void catch_up();  // the authorizer, to what the ring holds

 private:
  void handle_current(const CallPtr& call);
  Status authenticate(Call& call);
  Status impersonate(Call& call);
  Status authorize(Call& call);
  struct Observed;
  void observe_all(Observed& observed);

  store::Store& store_;
  security::Authority& authority_;
  security::TokenIssuer& tokens_;
  Loop& loop_;
  WorkerPool& pool_;
  Clock& clock_;
  const ServerConfig config_;
  security::Authenticator authenticator_;
  std::unique_ptr<security::Authorizer> authorizer_;
  std::atomic<Nodes*> nodes_{nullptr};
  Metrics metrics_;
  std::shared_ptr<InFlight> in_flight_;
  std::unique_ptr<ServiceAddresses> addresses_;
  std::shared_ptr<WatchRegistry> watches_;
  std::mutex observed_mutex_;
  std::vector<std::unique_ptr<Observed>> observed_;
  mutable std::mutex ready_mutex_;
  std::map<std::string, bool> ready_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lotse::api
