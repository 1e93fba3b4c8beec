#pragma once
#include <stdlib.h>

#include <filesystem>

#include <catch2/catch.hpp>

#include "core/api/server.h"
#include "core/base/file.h"
#include "core/store/open.h"
#include "support/memory_state.h"

namespace lotse::api {

// A server on a store in memory, asked as an administrator unless a test says otherwise.
class ServerFixture {
 public:
  ServerFixture() {
    ServerConfig config;
    config.service_cidrs = {"10.96.0.0/24"};
    config.pod_cidrs = {"10.244.0.0/16"};
    config.version = "v1.36.0+lotse.test";
    config.node_ports = {30000, 30099};
    make(config);
  }
  ~ServerFixture() {
    server.reset();
    loop.run();
    store.reset();
    std::filesystem::remove_all(dir);
  }

  void make(const ServerConfig& config) {
    server.reset();
    loop.run();
    if (!store) {
      auto opened = store::open_on(state.get(), Clock::system(), {});
      REQUIRE(opened.ok());
      store = *std::move(opened);
      authority = *security::Authority::open(dir, clock);
      tokens = *security::TokenIssuer::open(dir, "https://kubernetes.default.svc.cluster.local", clock);
    }
    server = Server::make(*store, *authority, *tokens, loop, pool, clock, config);
    Status status(Reason::kInternalError, "not done");
    server->bootstrap([&](Status s) { status = s; });
    settle();
    INFO(status.message);
    REQUIRE(status.ok());
    if (!store->exists({"serviceaccounts", "default", "default"})) {
      must(create("serviceaccounts", "default", R"({"metadata":{"name":"default"}})"));
    }
  }

  void settle() {
    for (int i = 0; i < 200; ++i) {
      state.settle();
      loop.run();
    }
  }

  static std::shared_ptr<const security::User> admin() {
    return std::make_shared<const security::User>(security::User{"admin", "", {"system:masters", "system:authenticated"}, {}});
  }
  static std::shared_ptr<const security::User> somebody(std::string name, std::vector<std::string> groups = {}) {
    groups.emplace_back("system:authenticated");
    return std::make_shared<const security::User>(security::User{std::move(name), "", std::move(groups), {}});
  }

  // "pods", "deployments.apps"
  static Request request(Verb verb, std::string_view resource, std::string_view ns = {}, std::string_view name = {}, std::string_view body = {}) {
    Request r;
    r.verb = verb;
    const size_t dot = resource.find('.');
    r.resource = resource.substr(0, dot);
    if (dot != std::string_view::npos) r.group = resource.substr(dot + 1);
    r.version = "v1";
    r.ns = ns;
    r.name = name;
    r.body = Bytes(body);
    if (!body.empty()) r.content_type = verb == Verb::kPatch ? "application/merge-patch+json" : "application/json";
    return r;
  }

  Response ask(Request r) {
    if (!r.peer.trusted && r.peer.token.empty() && !as_nobody) r.peer.trusted = user;
    std::optional<Response> answer;
    std::mutex mutex;
    server->handle(std::move(r), [&](Response response) {
      std::lock_guard lock(mutex);
      REQUIRE_FALSE(answer.has_value());
      answer = std::move(response);
    });
    for (int i = 0; i < 10000; ++i) {
      state.settle();
      loop.run();
      std::lock_guard lock(mutex);
      if (answer) break;
    }
    REQUIRE(answer.has_value());
    return *std::move(answer);
  }
  Response create(std::string_view resource, std::string_view ns, std::string_view body) { return ask(request(Verb::kCreate, resource, ns, {}, body)); }
  Response get(std::string_view resource, std::string_view ns, std::string_view name) { return ask(request(Verb::kGet, resource, ns, name)); }
  Response list(std::string_view resource, std::string_view ns) { return ask(request(Verb::kList, resource, ns)); }
  Response update(std::string_view resource, std::string_view ns, std::string_view name, const json::Value& body) {
    return ask(request(Verb::kUpdate, resource, ns, name, json::write(body)));
  }
  Response patch(std::string_view resource, std::string_view ns, std::string_view name, std::string_view body, std::string_view type = "merge") {
    Request r = request(Verb::kPatch, resource, ns, name, body);
    r.content_type = "application/" + std::string(type) + "-patch+json";
    return ask(std::move(r));
  }
  Response remove(std::string_view resource, std::string_view ns, std::string_view name, std::string_view options = {}) {
    return ask(request(Verb::kDelete, resource, ns, name, options));
  }
  Response visit(std::string_view path) {
    Request r;
    r.verb = Verb::kGet;
    r.path = path;
    return ask(std::move(r));
  }

  static json::Value value(const Response& r) {
    auto v = json::parse(r.text());
    INFO(r.text());
    REQUIRE(v.ok());
    return *v;
  }
  static json::Value must(const Response& r) {
    INFO(r.text());
    REQUIRE(r.status / 100 == 2);
    return value(r);
  }
  static std::string config_map(std::string_view name, std::string_view data = "1") {
    return R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":")" + std::string(name) + R"("},"data":{"k":")" + std::string(data) + R"("}})";
  }
  static std::string pod(std::string_view name, std::string_view node = {}) {
    std::string text = R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + std::string(name) + R"(","labels":{"app":"web"}},"spec":{)";
    if (!node.empty()) text += R"("nodeName":")" + std::string(node) + R"(",)";
    return text + R"("containers":[{"name":"c","image":"busybox"}]}})";
  }

  std::string dir = [] {
    char name[] = "/tmp/lotse-api-test-XXXXXX";
    return std::string(::mkdtemp(name));
  }();
  test::MemoryState state;
  VirtualLoop loop;
  WorkerPool pool{"test", 1, 16};
  Clock& clock = const_cast<Clock&>(loop.clock());
  std::unique_ptr<store::Store> store;
  std::unique_ptr<security::Authority> authority;
  std::unique_ptr<security::TokenIssuer> tokens;
  std::unique_ptr<Server> server;
  std::shared_ptr<const security::User> user = admin();
  bool as_nobody = false;
};

// A client of a stream: grants credit at once and keeps what came.
struct Received : StreamSink {
  void on_item(uint32_t channel, Bytes item) override {
    std::lock_guard lock(mutex);
    (channel == 0 ? items : others).emplace_back(item.view());
  }
  void on_end(Status s, Bytes) override {
    std::lock_guard lock(mutex);
    ended = true;
    status = s;
  }
  std::mutex mutex;
  std::vector<std::string> items, others;
  bool ended = false;
  Status status;
};

}  // namespace lotse::api
