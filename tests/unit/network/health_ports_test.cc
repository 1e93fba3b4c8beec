#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <future>

#include "core/network/health_ports.h"
#include "tests/unit/network/documents.h"

using namespace lotse;
using namespace lotse::network;

namespace {

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET;
  socklen_t size = sizeof a;
  REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0);
  REQUIRE(getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size) == 0);
  close(fd);
  return ntohs(a.sin_port);
}

// What the port says; empty: nobody listens.
std::string asked(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in a{};
  a.sin_family = AF_INET, a.sin_port = htons(static_cast<uint16_t>(port)), a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string out;
  if (connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0) {
    const std::string_view request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    REQUIRE(send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()));
    char buffer[1024];
    for (ssize_t n; (n = recv(fd, buffer, sizeof buffer, 0)) > 0;) out.append(buffer, static_cast<size_t>(n));
  }
  close(fd);
  return out;
}

void on_loop(Loop& loop, std::function<void()> fn) {
  std::promise<void> done;
  loop.post([&] { fn(), done.set_value(); });
  done.get_future().wait();
}

}  // namespace

TEST_CASE("a health check node port says whether this node has endpoints") {
  LoopThread thread("test");
  std::unique_ptr<HealthPorts> ports;
  const int port = free_port();
  on_loop(thread.loop(), [&] {
    ports = std::make_unique<HealthPorts>(thread.loop());
    ports->set({{port, {"shop", "web", 2}}});
  });
  std::string said = asked(port);
  CHECK(said.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(said.ends_with("{\"service\":{\"namespace\":\"shop\",\"name\":\"web\"},\"localEndpoints\":2,\"serviceProxyHealthy\":true}\n"));
  on_loop(thread.loop(), [&] { ports->set({{port, {"shop", "web", 0}}}); });
  CHECK(asked(port).starts_with("HTTP/1.1 503 "));
  on_loop(thread.loop(), [&] { ports->set({}); });
  CHECK(asked(port).empty());
  on_loop(thread.loop(), [&] { ports.reset(); });
}

TEST_CASE("health check node ports count ready endpoints of this node") {
  Services services("n1");
  CHECK(services.health_ports().empty());
  put_service(services, R"({"apiVersion":"v1","kind":"Service","metadata":{"namespace":"shop","name":"web"},
    "spec":{"type":"LoadBalancer","clusterIP":"10.96.0.20","externalTrafficPolicy":"Local","healthCheckNodePort":30999,"ports":[{"name":"http","port":80}]}})");
  CHECK(services.health_ports() == std::map<int, HealthPort>{{30999, {"shop", "web", 0}}});
  put_slice(services, R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","addressType":"IPv4",
    "metadata":{"namespace":"shop","name":"web-1","labels":{"kubernetes.io/service-name":"web"}},"ports":[{"name":"http","port":8080}],
    "endpoints":[{"addresses":["10.244.1.5"],"nodeName":"n1","conditions":{"ready":true}},{"addresses":["10.244.1.6"],"nodeName":"n1","conditions":{"ready":false}},
                 {"addresses":["10.244.2.5"],"nodeName":"n2","conditions":{"ready":true}}]})");
  CHECK(services.health_ports() == std::map<int, HealthPort>{{30999, {"shop", "web", 1}}});
  services.set_service("shop", "web", nullptr);
  CHECK(services.health_ports().empty());
}
