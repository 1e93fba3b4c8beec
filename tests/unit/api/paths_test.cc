#include "core/api/transport_host.h"
#include "core/base/msgpack.h"
#include "unit/api/fixture.h"

namespace lotse::api {

TEST_CASE_METHOD(ServerFixture, "Health says what is not ready") {
  CHECK(visit("/healthz").text() == "ok");
  CHECK(visit("/livez").text() == "ok");
  server->set_ready("network", false);
  CHECK(visit("/readyz").status == 500);
  CHECK(visit("/readyz").text().find("[-]network") != std::string::npos);
  CHECK(visit("/livez").status == 200);
  server->set_ready("network", true);
  CHECK(visit("/readyz").text() == "ok");
  Request r;
  r.verb = Verb::kGet;
  r.path = "/readyz";
  r.options = {{"verbose", ""}};
  CHECK(ask(r).text().find("[+]network ok") != std::string::npos);
  CHECK(visit("/readyz/network").status == 200);
  CHECK(visit("/readyz/nothing").status == 404);
}

TEST_CASE_METHOD(ServerFixture, "Version, discovery and OpenID documents") {
  CHECK(value(visit("/version"))["gitVersion"].str() == "v1.36.0+lotse.test");
  CHECK(value(visit("/version"))["minor"].str() == "36");
  CHECK(value(visit("/api"))["kind"].str() == "APIVersions");
  CHECK(value(visit("/apis"))["kind"].str() == "APIGroupList");
  CHECK(value(visit("/api/v1"))["kind"].str() == "APIResourceList");
  CHECK(value(visit("/apis/apps"))["kind"].str() == "APIGroup");
  CHECK(value(visit("/apis/apps/v1"))["groupVersion"].str() == "apps/v1");
  CHECK(visit("/apis/nothing.example.com").status == 404);
  CHECK(visit("/nowhere").status == 404);
  CHECK(value(visit("/.well-known/openid-configuration"))["issuer"].str() == "https://kubernetes.default.svc.cluster.local");
  CHECK(value(visit("/openid/v1/jwks"))["keys"].size() >= 1);
}

TEST_CASE_METHOD(ServerFixture, "Metrics count requests by verb, resource and code") {
  must(create("configmaps", "default", config_map("a")));
  get("configmaps", "default", "no");
  server->add_metric("lotse_test", "A test.", [] { return 42.0; });
  const std::string text = visit("/metrics").text();
  CHECK(text.find(R"(apiserver_request_total{verb="create",resource="configmaps",subresource="",code="201"} 1)") != std::string::npos);
  CHECK(text.find(R"(verb="get",resource="configmaps",subresource="",code="404"} 1)") != std::string::npos);
  CHECK(text.find("apiserver_request_duration_seconds_bucket") != std::string::npos);
  CHECK(text.find("lotse_test 42") != std::string::npos);
}

TEST_CASE_METHOD(ServerFixture, "Every answer has an audit id") {
  const auto r = visit("/version");
  CHECK(std::any_of(r.headers.begin(), r.headers.end(), [](const auto& h) { return h.first == "Audit-Id" && h.second.size() == 36; }));
}

TEST_CASE_METHOD(ServerFixture, "Hostile requests are refused and the server serves on") {
  const std::string deep(100'000, '[');
  struct Row { Verb verb; std::string resource, ns, name, sub, body, type; };
  const Row rows[] = {
      {Verb::kCreate, "configmaps", "default", "", "", deep, "application/json"},
      {Verb::kCreate, "configmaps", "default", "", "", std::string("{\"a\":") + deep, "application/json"},
      {Verb::kCreate, "configmaps", "default", "", "", "{\"metadata\":{\"name\":\"a\\u0000b\"}}", "application/json"},
      {Verb::kCreate, "configmaps", "default", "", "", std::string("\0\0\0", 3), "application/json"},
      {Verb::kCreate, "configmaps", "default", "", "", "a: &a [*a,*a]", "application/yaml"},
      {Verb::kCreate, "configmaps", "default", "", "", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]", "application/yaml"},
      {Verb::kCreate, "configmaps", "../../etc", "", "", config_map("a"), "application/json"},
      {Verb::kGet, "configmaps", "default", "../../x", "", "", ""},
      {Verb::kGet, "configmaps", "default", std::string("a\0b", 3), "", "", ""},
      {Verb::kGet, "lotse/serviceips", "", "10.96.0.1", "", "", ""},
      {Verb::kGet, "configmaps", "default", std::string(100'000, 'a'), "", "", ""},
      {Verb::kPatch, "configmaps", "default", "a", "", "[{\"op\":\"copy\",\"from\":\"\",\"path\":\"/data/x\"}]", "application/json-patch+json"},
      {Verb::kUpdate, "configmaps", "default", "a", "status", "{}", "application/json"},
      {Verb::kConnect, "pods", "default", "no", "exec", "", ""},
      {Verb::kCreate, "pods", "default", "no", "binding", "[]", "application/json"},
      {Verb::kCreate, "pods", "default", "no", "eviction", "{\"kind\":\"Pod\"}", "application/json"},
      {Verb::kCreate, "serviceaccounts", "default", "default", "token", "{\"spec\":{\"expirationSeconds\":99999999999999999999}}", "application/json"},
      {Verb::kDelete, "configmaps", "default", "a", "", "{\"gracePeriodSeconds\":\"x\"", "application/json"},
  };
  for (const auto& row : rows) {
    auto r = request(row.verb, row.resource, row.ns, row.name, row.body);
    r.subresource = row.sub;
    r.content_type = row.type;
    const auto answer = ask(std::move(r));
    INFO(row.resource << " " << row.body.substr(0, 60) << " -> " << answer.status << " " << answer.text().substr(0, 200));
    if (row.sub != "token") CHECK(answer.status >= 400);
    CHECK(answer.status < 500);
  }
  CHECK(visit("/readyz").text() == "ok");
}

TEST_CASE_METHOD(ServerFixture, "Bound to no node there is nothing to exec into, and logs are empty") {
  must(create("pods", "default", pod("p")));
  auto r = request(Verb::kConnect, "pods", "default", "p");
  r.subresource = "exec";
  r.method = "POST";
  r.options = {{"command", "ls"}, {"stdout", "true"}};
  CHECK(ask(r).status == 400);
  auto log = request(Verb::kGet, "pods", "default", "p");
  log.subresource = "log";
  CHECK(ask(log).text().empty());
  log.options = {{"container", "nope"}};
  CHECK(value(ask(log))["message"].str() == "container nope is not valid for pod p");
}

namespace {

// A node's agent that answers by a script.
struct ScriptedNodes : Nodes {
  struct Opened : Stream {
    explicit Opened(ScriptedNodes& n) : nodes(n) {}
    void grant(uint64_t n) override { nodes.granted += n; }
    bool write(uint32_t, Bytes data) override { return nodes.written += data.view(), true; }
    void half_close(uint32_t) override { nodes.closed = true; }
    void cancel() override { nodes.cancelled = true; }
    ScriptedNodes& nodes;
  };
  Result<StreamPtr> open(const std::string& n, std::string_view k, Bytes a, SinkPtr s) override {
    node = n;
    kind = k;
    arguments = *MsgValue::parse(a);
    sink = std::move(s);
    if (!up) return Status(Reason::kServiceUnavailable, "node " + n + " has no session");
    return StreamPtr(new Opened(*this));
  }
  bool connected(const std::string&) const override { return up; }
  bool up = true, closed = false, cancelled = false;
  std::string node, kind, written;
  uint64_t granted = 0;
  MsgValue arguments;
  SinkPtr sink;
};

}  // namespace

TEST_CASE_METHOD(ServerFixture, "Logs come from the node, after it has said that there are some") {
  ScriptedNodes nodes;
  server->set_nodes(&nodes);
  must(create("pods", "default", pod("p", "node-1")));
  auto r = request(Verb::kGet, "pods", "default", "p");
  r.subresource = "log";
  r.options = {{"tailLines", "5"}, {"follow", "true"}};
  r.peer.trusted = user;
  std::optional<Response> answer;
  server->handle(r, [&](Response x) { answer = std::move(x); });
  settle();
  CHECK_FALSE(answer.has_value());
  CHECK(nodes.node == "node-1");
  CHECK(nodes.kind == "logs");
  CHECK(nodes.arguments["container"].as_text() == "c");
  CHECK(nodes.arguments["tail_lines"].as_int() == 5);
  CHECK(nodes.arguments["follow"].as_bool());
  nodes.sink->on_item(1, Bytes(MsgValue::map().encode()));
  nodes.sink->on_item(0, Bytes("early\n"));
  settle();
  REQUIRE(answer.has_value());
  CHECK(answer->status == 200);
  CHECK(answer->content_type == "text/plain");
  auto client = std::make_shared<Received>();
  auto stream = *answer->stream(client);
  settle();
  nodes.sink->on_item(0, Bytes("late\n"));
  nodes.sink->on_end({}, {});
  settle();
  CHECK(client->items == std::vector<std::string>{"early\n", "late\n"});
  CHECK(client->ended);
}

TEST_CASE_METHOD(ServerFixture, "What the node refuses is the answer") {
  ScriptedNodes nodes;
  server->set_nodes(&nodes);
  must(create("pods", "default", pod("p", "node-1")));
  auto r = request(Verb::kGet, "pods", "default", "p");
  r.subresource = "log";
  r.peer.trusted = user;
  std::optional<Response> answer;
  server->handle(r, [&](Response x) { answer = std::move(x); });
  nodes.sink->on_end(Status(Reason::kBadRequest, "container \"c\" in pod \"p\" is waiting to start: ContainerCreating"), {});
  settle();
  REQUIRE(answer.has_value());
  CHECK(answer->status == 400);
  nodes.up = false;
  CHECK(ask(r).status == 503);
}

TEST_CASE_METHOD(ServerFixture, "Exec and port-forward say what is to be done, and the stream goes to the node") {
  ScriptedNodes nodes;
  server->set_nodes(&nodes);
  must(create("pods", "default", pod("p", "node-1")));
  auto r = request(Verb::kConnect, "pods", "default", "p");
  r.subresource = "exec";
  r.method = "POST";
  r.options = {{"command", "sh"}, {"command", "-c"}, {"stdin", "true"}, {"stdout", "true"}, {"stderr", "true"}, {"tty", "true"}};
  const auto answer = ask(r);
  CHECK(answer.upgrade == Upgrade::kChannels);
  auto stream = answer.stream(std::make_shared<Received>());
  CHECK(nodes.kind == "exec");
  CHECK(nodes.arguments["command"].as_strings() == std::vector<std::string>{"sh", "-c"});
  CHECK(nodes.arguments["tty"].as_bool());
  CHECK_FALSE(nodes.arguments["stderr"].as_bool());
  r.options = {{"stdout", "true"}};
  CHECK(ask(r).status == 400);
  r.subresource = "portforward";
  r.options = {{"ports", "8080"}};
  const auto forward = ask(r);
  CHECK(forward.upgrade == Upgrade::kPortForward);
  stream = forward.stream(std::make_shared<Received>());
  CHECK(nodes.arguments["port"].as_int() == 8080);
  r.options = {{"ports", "0"}};
  CHECK(ask(r).status == 400);
}

TEST_CASE_METHOD(ServerFixture, "A node has one page of its own: the summary of its statistics") {
  ScriptedNodes nodes;
  server->set_nodes(&nodes);
  must(create("nodes", "", R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"node-1"}})"));
  auto r = request(Verb::kConnect, "nodes", "", "node-1");
  r.subresource = "proxy";
  r.method = "GET";
  r.path = "stats/summary";
  r.peer.trusted = user;
  std::optional<Response> answer;
  server->handle(r, [&](Response x) { answer = std::move(x); });
  settle();
  CHECK(nodes.kind == "stats");
  nodes.sink->on_item(0, Bytes("{}"));
  settle();
  REQUIRE(answer.has_value());
  CHECK(answer->status == 200);
  CHECK(answer->content_type == "application/json");
  r.path = "metrics";
  server->handle(r, [&](Response) {});
  settle();
  CHECK(nodes.kind == "proxy");
}

TEST_CASE_METHOD(ServerFixture, "A proxied request takes its body along and brings the answer's head back") {
  ScriptedNodes nodes;
  server->set_nodes(&nodes);
  must(create("pods", "default", pod("p", "node-1")));
  auto r = request(Verb::kConnect, "pods", "default", "p:8080", "hello");
  r.subresource = "proxy";
  r.method = "POST";
  r.path = "/a b";
  r.options = {{"x", "1&2"}};
  r.headers = {{"X-Own", "1"}, {"Authorization", "Bearer secret"}};
  r.peer.trusted = user;
  std::optional<Response> answer;
  server->handle(r, [&](Response x) { answer = std::move(x); });
  settle();
  CHECK(nodes.arguments["path"].as_text() == "/a%20b?x=1%262");
  CHECK(nodes.arguments["port"].as_int() == 8080);
  CHECK(nodes.arguments.encode().find("secret") == std::string::npos);
  CHECK(nodes.written == "hello");
  CHECK(nodes.closed);
  nodes.sink->on_item(1, Bytes(MsgValue::map({{"status", 418}, {"headers", MsgValue::array({MsgValue::array({"Content-Type", "text/tea"})})}}).encode()));
  settle();
  REQUIRE(answer.has_value());
  CHECK(answer->status == 418);
  CHECK(answer->content_type == "text/tea");
  r.name = "ftp:p:21";
  CHECK(ask(r).status == 400);
}

TEST_CASE_METHOD(ServerFixture, "A transport plugin asks, is answered in parts, and opens streams") {
  TransportHost host(*server);
  const lotse_host_api* api = host.raw();
  struct Seen {
    uint32_t status = 0, streams = 0;
    std::string body;
    uint64_t id = 0;
  } seen;
  lotse_api_reply reply{};
  reply.size = sizeof(reply);
  reply.ctx = &seen;
  reply.respond = [](void* ctx, const lotse_api_response* r, uint64_t id) {
    auto& s = *static_cast<Seen*>(ctx);
    s.status = r->status;
    s.streams = r->streams;
    s.id = id;
    s.body.clear();
    for (size_t i = 0; i < r->body_count; ++i) s.body.append(static_cast<const char*>(r->body[i].data), r->body[i].size);
    if (r->release) r->release(r->release_ctx);
  };
  const auto bytes = [](std::string_view t) { return lotse_bytes{t.data(), t.size()}; };
  lotse_api_request in{};
  in.size = sizeof(in);
  in.verb = LOTSE_VERB_GET;
  in.path = bytes("/version");
  api->submit(api->self, &in, &reply);
  settle();
  CHECK(seen.status == 200);
  CHECK(seen.body.find("gitVersion") != std::string::npos);
  static int released = 0;
  in = {};
  in.size = sizeof(in);
  in.verb = LOTSE_VERB_CREATE;
  in.version = bytes("v1");
  in.resource = bytes("configmaps");
  in.ns = bytes("default");
  in.body = {"{}", 2, [](void*) { ++released; }, nullptr};
  api->submit(api->self, &in, &reply);
  settle();
  CHECK(seen.status == 403);
  CHECK(released == 1);
  CHECK(api->open(api->self, 12345, nullptr, nullptr) == LOTSE_NOT_FOUND);
}

}  // namespace lotse::api
