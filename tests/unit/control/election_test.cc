// Several masters on one store: who leads, and that nobody else's controllers get anything through.
#include "core/control/election.h"

#include <filesystem>

#include <catch2/catch.hpp>

#include "core/api/fence.h"
#include "core/api/server.h"
#include "core/base/file.h"
#include "core/store/open.h"
#include "support/memory_state.h"

namespace lotse::control {
namespace {

using std::chrono::seconds;

std::string make_dir() {
  char name[] = "/tmp/lotse-election-XXXXXX";
  return ::mkdtemp(name);
}

// One master: a store of its own over the backend that all share, a server, and an election on a loop of its own, so that a test can let
// it sleep while the server goes on: that is what a paused leader's last requests look like to the others.
struct Candidate {
  Candidate(test::MemoryState& s, const std::string& dir, std::string name) : state(s), identity(std::move(name)) {
    store = *store::open_on(state.get(), Clock::system(), {});
    authority = *security::Authority::open(dir, clock);
    tokens = *security::TokenIssuer::open(dir, "https://kubernetes.default.svc.cluster.local", clock);
    api::ServerConfig config;
    config.service_cidrs = {"10.96.0.0/24"};
    config.pod_cidrs = {"10.244.0.0/16"};
    server = api::Server::make(*store, *authority, *tokens, server_loop, pool, clock, config);
    Status status(Reason::kInternalError, "not done");
    server->bootstrap([&](Status result) { status = std::move(result); });
    for (int i = 0; i < 300; ++i) turn();
    INFO(status.message);
    REQUIRE(status.ok());
  }
  ~Candidate() {
    election.reset();
    loop.run();
    server.reset();
    server_loop.run();
  }
  void turn() {
    state.settle();
    server_loop.run();
  }
  void stand() {
    Election::Events events;
    events.gained = [this](uint64_t f) { fence = f, leads = true, ++times; };
    events.lost = [this] { leads = false; };
    ElectionSettings settings;
    settings.identity = identity;
    election = std::make_unique<Election>(*store, *server, loop, settings, events);
    REQUIRE(election->start().ok());
  }
  // Creates a ConfigMap as the leader's controllers would, with this fence.
  Status create(const std::string& name, uint64_t with) {
    api::Request r;
    r.verb = api::Verb::kCreate;
    r.version = "v1", r.resource = "configmaps", r.ns = "kube-system";
    r.content_type = "application/json";
    r.body = Bytes(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + name + "\"}}");
    r.peer.trusted = std::make_shared<const security::User>(security::User{"controller", "", {"system:masters"}, {}});
    std::optional<Status> answer;
    std::mutex mutex;
    api::FencedHandler leader(*server, with);
    leader.handle(std::move(r), [&](api::Response response) {
      std::lock_guard lock(mutex);
      answer = api::status_of(response);
    });
    for (int i = 0; i < 1000; ++i) {
      turn();
      std::lock_guard lock(mutex);
      if (answer) break;
    }
    REQUIRE(answer.has_value());
    return *answer;
  }

  test::MemoryState& state;
  std::string identity;
  VirtualLoop loop, server_loop;
  Clock& clock = const_cast<Clock&>(server_loop.clock());
  WorkerPool pool{"test", 1, 16};
  std::unique_ptr<store::Store> store;
  std::unique_ptr<security::Authority> authority;
  std::unique_ptr<security::TokenIssuer> tokens;
  std::unique_ptr<api::Server> server;
  std::unique_ptr<Election> election;
  uint64_t fence = 0;
  bool leads = false;
  int times = 0;
};

struct Masters {
  explicit Masters(bool shared = true) { state.shared = shared; }
  ~Masters() { std::filesystem::remove_all(dir); }
  // Everything that is under way comes to rest; the elections that sleep are not given.
  void settle(std::initializer_list<Candidate*> awake) {
    for (int i = 0; i < 60; ++i)
      for (Candidate* c : awake) c->turn(), c->loop.run();
  }
  void pass(Duration time, std::initializer_list<Candidate*> awake) {
    for (; time > Duration(0); time -= seconds(1)) {
      for (Candidate* c : awake) c->loop.advance(seconds(1));
      settle(awake);
    }
  }
  std::string dir = make_dir();
  test::MemoryState state;
};

}  // namespace

TEST_CASE("whose store is its own leads at once, without a lease and without a fence") {
  Masters masters(false);
  Candidate a(masters.state, masters.dir, "a");
  a.stand();
  CHECK(a.leads);
  CHECK(a.fence == 0);
  masters.pass(seconds(60), {&a});
  CHECK_FALSE(a.store->exists({"leases.coordination.k8s.io", "kube-system", "lotse-master"}));
  CHECK_FALSE(a.store->exists(api::kFence));
}

TEST_CASE("of two masters one leads, for as long as it renews its lease") {
  Masters masters;
  Candidate a(masters.state, masters.dir, "a"), b(masters.state, masters.dir, "b");
  a.stand();
  masters.settle({&a});
  b.stand();
  masters.pass(seconds(60), {&a, &b});
  CHECK(a.leads);
  CHECK(a.times == 1);
  CHECK(a.fence != 0);
  CHECK_FALSE(b.leads);
  auto lease = b.store->get({"leases.coordination.k8s.io", "kube-system", "lotse-master"});
  REQUIRE(lease.ok());
  CHECK((*lease)->value()["spec"]["holderIdentity"].str() == "a");

  SECTION("one that stops hands over without a wait") {
    bool given_back = false;
    a.election->stop([&] { given_back = true; });
    masters.settle({&a, &b});
    CHECK(given_back);
    CHECK_FALSE(a.leads);
    CHECK(b.leads);
    CHECK(b.fence > a.fence);
  }
  SECTION("one that comes back as itself does not wait for itself") {
    a.election.reset();  // killed: nothing is given back
    a.leads = false;
    const uint64_t before = a.fence;
    a.stand();
    masters.settle({&a, &b});
    CHECK(a.leads);
    CHECK(a.fence > before);
    CHECK_FALSE(b.leads);
  }
}

TEST_CASE("what a paused leader still sends is refused, and it rests when it wakes") {
  Masters masters;
  Candidate a(masters.state, masters.dir, "a"), b(masters.state, masters.dir, "b");
  a.stand();
  masters.settle({&a});
  b.stand();
  masters.settle({&a, &b});
  REQUIRE(a.leads);
  CHECK(a.create("from-a", a.fence).ok());

  masters.pass(seconds(14), {&b});
  CHECK_FALSE(b.leads);  // the lease has not run out
  masters.pass(seconds(3), {&b});
  REQUIRE(b.leads);
  REQUIRE(a.leads);  // it sleeps, and knows nothing of it

  const Status late = a.create("too-late", a.fence);
  CHECK(late.reason == Reason::kForbidden);
  CHECK_FALSE(b.store->exists({"configmaps", "kube-system", "too-late"}));
  CHECK(b.create("from-b", b.fence).ok());
  CHECK(a.create("from-a-client", 0).ok());  // what others ask of that master goes through as ever

  masters.settle({&a, &b});
  CHECK_FALSE(a.leads);
  masters.pass(seconds(60), {&a, &b});
  CHECK(b.leads);
  CHECK(b.times == 1);
  CHECK_FALSE(a.leads);
}

TEST_CASE("a leader whose lease is taken away while it sleeps does not get it back by its clock") {
  Masters masters;
  Candidate a(masters.state, masters.dir, "a"), b(masters.state, masters.dir, "b");
  a.stand();
  masters.settle({&a});
  b.stand();
  masters.pass(seconds(16), {&b});
  REQUIRE(b.leads);
  a.loop.advance(seconds(12));  // its timers are due before it has heard of anything
  masters.settle({&a, &b});
  CHECK_FALSE(a.leads);
  CHECK(b.leads);
  CHECK(b.times == 1);
}

}  // namespace lotse::control
