// Sessions over real sockets on loopback, between two buses of this process. What is waited for has a deadline; nothing sleeps.
#include <catch2/catch.hpp>

#include <condition_variable>
#include <future>
#include <mutex>

#include "core/base/msgpack.h"
#include "core/bus/bus.h"

using namespace lotse;
using namespace lotse::bus;
using namespace std::chrono_literals;

namespace {

struct Nothing : api::Handler {
  std::atomic<int> asked{0};
  void say(std::string what) {
    std::lock_guard lock(mutex_);
    text_ = std::move(what);
  }
  void handle(api::Request, api::Respond respond) override {
    ++asked;
    std::lock_guard lock(mutex_);
    respond(api::status_response(Status(Reason::kNotFound, text_)));
  }

 private:
  std::mutex mutex_;
  std::string text_ = "nothing";
};

// Keys and tokens in memory.
struct Keys : Registry {
  mutable std::mutex mutex;
  std::map<std::string, std::string> nodes;  // by key
  std::string token;
  void add(const std::string& key, const std::string& node) {
    std::lock_guard lock(mutex);
    nodes[key] = node;
  }
  std::optional<std::string> node_of(const std::string& key) const override {
    std::lock_guard lock(mutex);
    auto it = nodes.find(key);
    return it == nodes.end() ? std::nullopt : std::optional(it->second);
  }
  void create_token(Duration, bool, std::function<void(Result<std::string>)> done) override { done(token); }
  void spend_master_token(const std::string& t, std::function<void(Status)> done) override { done(t == token ? Status() : Status(Reason::kUnauthorized, "no")); }
  void join(const std::string& t, const std::string& node, const std::string& key, std::function<void(Status)> done) override {
    {
      std::lock_guard lock(mutex);
      if (t != token) return done(Status(Reason::kUnauthorized, "no"));
    }
    admit(node, key, done);
  }
  void admit(const std::string& node, const std::string& key, std::function<void(Status)> done) override {
    std::lock_guard lock(mutex);
    nodes[key] = node;
    done({});
  }
  void set_token(const std::string& t) {
    std::lock_guard lock(mutex);
    token = t;
  }
  void put(const std::string& key, const std::string& node) {
    std::lock_guard lock(mutex);
    nodes[key] = node;
  }
  void forget() {
    std::lock_guard lock(mutex);
    nodes.clear();
  }
};

// What a worker was told, for a test that waits for it.
struct Told {
  std::mutex mutex;
  std::condition_variable news;
  int connected = 0, lost = 0, refused = 0;
  Welcome welcome;
  Worker::Events events() {
    Worker::Events e;
    e.connected = [this](const Welcome& w) { note([&] { ++connected, welcome = w; }); };
    e.lost = [this] { note([&] { ++lost; }); };
    e.refused = [this](const std::string&) { note([&] { ++refused; }); };
    return e;
  }
  template <class Fn>
  void note(Fn fn) {
    std::lock_guard lock(mutex);
    fn();
    news.notify_all();
  }
  template <class Fn>
  bool until(Fn fn, Duration most = 20s) {
    std::unique_lock lock(mutex);
    return news.wait_for(lock, most, fn);
  }
};

struct Site {
  Context context;
  Nothing api;
  std::shared_ptr<Keys> keys = std::make_shared<Keys>();
  security::CurvePair own = security::make_curve_pair();
  std::unique_ptr<Master> master;
  std::string start(const std::string& listen, std::vector<MasterAddress> told = {}) {
    Master::Config c;
    c.listen = listen;
    c.keys = own;
    c.cluster_id = "c";
    c.masters = std::move(told);
    c.cluster = Bytes("settings");
    auto made = Master::start(context, c, api, keys, nullptr);
    if (!made.ok()) return made.status().message;
    master = std::move(*made);
    return master->endpoint();
  }
};

Mux::Acceptor no_calls() {
  return [](const std::string&, Bytes, SinkPtr) -> Result<StreamPtr> { return Status(Reason::kNotFound, "none"); };
}

// A port of its own with the one below it free: the master's join socket takes that.
std::string start_anywhere(std::unique_ptr<Site>& site, const std::vector<MasterAddress>& told = {}) {
  const auto keys = site ? site->own : security::make_curve_pair();
  for (int port = 20000 + getpid() % 20000; port < 60000; port += 7) {
    site = std::make_unique<Site>();
    site->own = keys;
    auto endpoint = site->start("tcp://127.0.0.1:" + std::to_string(port), told);
    if (site->master) return endpoint;
  }
  FAIL("no port is free");
  return {};
}

}  // namespace

TEST_CASE("a worker sees at once that its master has gone, and comes back to it") {
  std::unique_ptr<Site> site;
  const auto endpoint = start_anywhere(site);
  const auto master_keys = site->own;
  Context workers;
  auto mine = security::make_curve_pair();
  site->keys->put(mine.public_z85, "w1");
  Told told;
  Worker::Config c;
  c.node = "w1";
  c.keys = mine;
  c.masters = {{{endpoint}, site->own.public_z85}};
  c.ping_period = 1h;  // not by pings
  auto worker = Worker::start(workers, c, no_calls(), told.events());
  REQUIRE(told.until([&] { return told.connected == 1; }));
  CHECK(told.welcome.cluster.view() == "settings");
  const auto began = std::chrono::steady_clock::now();
  site.reset();
  REQUIRE(told.until([&] { return told.lost == 1; }, 5s));
  CHECK(std::chrono::steady_clock::now() - began < 2s);
  site = std::make_unique<Site>();
  site->own = master_keys;
  site->keys->put(mine.public_z85, "w1");
  REQUIRE(site->start(endpoint) == endpoint);
  CHECK(told.until([&] { return told.connected == 2; }));
}

TEST_CASE("a worker learns the masters' addresses, and keeps the one that works in front") {
  auto site = std::make_unique<Site>();
  auto other = security::make_curve_pair();
  const auto endpoint = start_anywhere(site, {{{"tcp://192.0.2.1:6442"}, other.public_z85}, {{"tcp://192.0.2.2:6442"}, site->own.public_z85}});
  Context workers;
  Worker::Config c;
  c.node = "w1";
  c.keys = security::make_curve_pair();
  site->keys->put(c.keys.public_z85, "w1");
  // The first address is one where nobody listens: the next is tried soon.
  c.masters = {{{"tcp://127.0.0.1:1", endpoint}, site->own.public_z85}};
  Told told;
  auto worker = Worker::start(workers, c, no_calls(), told.events());
  REQUIRE(told.until([&] { return told.connected == 1; }, 8s));
  REQUIRE(told.welcome.masters.size() == 2);
  CHECK(told.welcome.masters[0].public_z85 == site->own.public_z85);
  CHECK(told.welcome.masters[0].endpoints == std::vector<std::string>{endpoint, "tcp://192.0.2.2:6442"});
  CHECK(told.welcome.masters[1].endpoints == std::vector<std::string>{"tcp://192.0.2.1:6442"});
}

TEST_CASE("a worker is told that its key is not known, before and during a session, and is let in again after a join") {
  auto site = std::make_unique<Site>();
  const auto endpoint = start_anywhere(site);
  Context workers;
  Worker::Config c;
  c.node = "w1";
  c.keys = security::make_curve_pair();
  c.masters = {{{endpoint}, site->own.public_z85}};
  c.ping_period = 100ms;
  Told told;
  auto worker = Worker::start(workers, c, no_calls(), told.events());
  REQUIRE(told.until([&] { return told.refused >= 1; }));
  CHECK(told.connected == 0);
  site->keys->set_token("once");
  auto joined = join(workers, {{{endpoint}, site->own.public_z85}, "once"}, "w1", c.keys, 20s);
  REQUIRE(joined.ok());
  REQUIRE(told.until([&] { return told.connected == 1; }));
  const int before = told.refused;
  site->keys->forget();  // the node was removed: with its next message it is out
  REQUIRE(told.until([&] { return told.lost == 1 && told.refused > before; }));
}

TEST_CASE("a worker that is given another master's address goes there at once") {
  std::unique_ptr<Site> a, b;
  const auto at_a = start_anywhere(a), at_b = start_anywhere(b);
  Context workers;
  Worker::Config c;
  c.node = "w1";
  c.keys = security::make_curve_pair();
  for (auto* site : {a.get(), b.get()}) site->keys->put(c.keys.public_z85, "w1");
  c.masters = {{{at_a}, a->own.public_z85}};
  Told told;
  auto worker = Worker::start(workers, c, no_calls(), told.events());
  REQUIRE(told.until([&] { return told.connected == 1; }));
  worker->set_masters({{{at_b}, b->own.public_z85}});
  REQUIRE(told.until([&] { return told.connected == 2; }));
  CHECK(b->master->connected("w1"));
}

namespace {

// What the worker's requests are answered with, and by whom.
std::string ask(Worker& worker) {
  std::promise<std::string> answer;
  api::Request r;
  r.verb = api::Verb::kGet;
  r.version = "v1", r.resource = "pods", r.ns = "default", r.name = "p";
  worker.handle(std::move(r), [&](api::Response response) { answer.set_value(api::status_of(response).message); });
  return answer.get_future().get();
}

// A stream that master opens on the worker, to its end.
std::string call(Site& site, const std::string& node) {
  struct Sink : StreamSink {
    std::promise<std::string> end;
    void on_item(uint32_t, Bytes) override {}
    void on_end(Status status, Bytes) override { end.set_value(status.message); }
  };
  auto sink = std::make_shared<Sink>();
  auto stream = site.master->open(node, "exec", Bytes(), sink);
  return stream.ok() ? sink->end.get_future().get() : stream.status().message;
}

}  // namespace

TEST_CASE("a worker has a session with every master: each may call it, one is asked, and when that dies the other is") {
  std::unique_ptr<Site> a, b;
  const auto at_a = start_anywhere(a), at_b = start_anywhere(b);
  Context workers;
  Worker::Config c;
  c.node = "w1";
  c.keys = security::make_curve_pair();
  a->keys->add(c.keys.public_z85, "w1");
  b->keys->add(c.keys.public_z85, "w1");
  a->api.say("a"), b->api.say("b");
  c.masters = {{{at_a}, a->own.public_z85}};
  Told told;
  auto worker = Worker::start(workers, c, no_calls(), told.events());
  REQUIRE(told.until([&] { return told.connected == 1; }));
  CHECK(ask(*worker) == "a");
  CHECK_FALSE(b->master->connected("w1"));

  // The second master comes: whoever has a session is told, and goes there too.
  a->master->set_masters({{{at_a}, a->own.public_z85}, {{at_b}, b->own.public_z85}});
  REQUIRE(told.until([&] { return told.connected >= 3; }));
  REQUIRE(told.welcome.masters.size() == 2);
  CHECK(a->master->connected("w1"));
  CHECK(b->master->connected("w1"));
  CHECK(ask(*worker) == "a");
  CHECK(call(*a, "w1") == "none");
  CHECK(call(*b, "w1") == "none");

  a.reset();
  for (std::string by; by != "b"; by = ask(*worker)) CHECK((by == "" || by == "a" || by.find("master") != by.npos));
  CHECK(told.lost == 0);
  CHECK(call(*b, "w1") == "none");
}

TEST_CASE("what is sealed for a master's key only its owner opens") {
  const auto keys = security::make_curve_pair(), other = security::make_curve_pair();
  auto sealed = security::seal_for(keys.public_z85, "join", "secret");
  REQUIRE(sealed.ok());
  CHECK(*security::unseal_with(keys, "join", *sealed) == "secret");
  CHECK_FALSE(security::unseal_with(other, "join", *sealed).ok());
  CHECK_FALSE(security::unseal_with(keys, "else", *sealed).ok());
  (*sealed)[sealed->size() / 2] ^= 1;
  CHECK_FALSE(security::unseal_with(keys, "join", *sealed).ok());
  CHECK_FALSE(security::unseal_with(keys, "join", "short").ok());
  CHECK_FALSE(security::seal_for("not a key", "join", "secret").ok());
}
