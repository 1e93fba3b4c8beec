// bench_proxy PLUGIN.so SERVICES: loads that many Services of two endpoints each into the kernel of a lab of its own, changes one, and
// connects to the first and to the last. One line of JSON comes out. Needs root.
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "lotse/abi/proxy.h"
#include "sdk/conformance/call.h"
#include "sdk/conformance/check.h"
#include "sdk/conformance/check_host.h"
#include "sdk/conformance/config.h"
#include "sdk/conformance/load.h"
#include "sdk/conformance/proxy/lab.h"

// The suite's ways to end a case.
namespace lotse::check {
void fail(const std::string& why) { throw Failed{why}; }
void skip(const std::string& why) { throw Skipped{why}; }
}  // namespace lotse::check

namespace {

using namespace lotse::conformance;
using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point from) { return std::chrono::duration<double, std::milli>(Clock::now() - from).count(); }

double median(std::vector<double> all) {
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

std::string address(int i) {
  return "10." + std::to_string(100 + i / 65536) + "." + std::to_string(i / 256 % 256) + "." + std::to_string(i % 256);
}

Msg service(int i, const char* second) {
  auto endpoint = [](const char* ip) { return Msg::map({{"ip", ip}, {"port", 8080}, {"local", true}, {"ready", true}, {"serving", true}, {"terminating", false}}); };
  char name[32];
  snprintf(name, sizeof name, "ns/s%06d:http", i);
  return Msg::map({{"id", name}, {"protocol", "TCP"}, {"cluster_ips", Msg::strings({address(i)})}, {"port", 80}, {"affinity_s", 0},
                   {"endpoints", Msg::array({endpoint("10.88.1.11"), endpoint(second)})}});
}

// Milliseconds of one connect from a pod; the median of many, the first few not counted.
double connect_ms(Lab& lab, const std::string& ip) {
  std::vector<double> times;
  lab.within("caller", [&] {
    for (int i = 0; i < 220; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in to{};
      to.sin_family = AF_INET, to.sin_port = htons(80);
      inet_pton(AF_INET, ip.c_str(), &to.sin_addr);
      const auto from = Clock::now();
      require(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0, "no connection to " + ip);
      if (i >= 20) times.push_back(ms_since(from));
      close(fd);
    }
  });
  return median(times);
}

int run(const std::string& path, int count, const std::string& directory) {
  Lab::begin();
  lotse::check::CheckHost host(directory, false);
  const lotse_plugin* plugin = lotse::check::load(path);
  lotse_error error{};
  error.size = sizeof error;
  if (plugin->init && plugin->init(host.c(), &error) != LOTSE_OK) throw Wrong{error.message};
  auto* factory = static_cast<const lotse_factory*>(plugin->get_factory(LOTSE_FACTORY_PROXY));
  const std::string config = lotse::check::make_config(*factory, "");
  auto* proxy = reinterpret_cast<const lotse_proxy*>(factory->create(host.c(), {config.data(), config.size()}, &error));
  if (!proxy) throw Wrong{error.message};
  Lab& lab = Lab::here();
  Msg services = Msg::array();
  for (int i = 0; i < count; ++i) services.push(service(i, "10.88.1.12"));
  auto ask = [&](lotse_message_fn function, const Msg& request) {
    const std::string bytes = request.encode();
    const auto from = Clock::now();
    Answer answer = call(proxy->base.self, function, bytes);
    require(answer.ok(), answer.text);
    return ms_since(from);
  };
  const double load = ask(proxy->resync, Msg::map({{"node_name", "node"}, {"node_addresses", Msg::strings({"192.0.2.1"})}, {"pod_cidrs", Msg::strings({"10.88.1.0/24"})},
                                                   {"cluster_cidrs", Msg::strings({"10.88.0.0/16"})}, {"services", services}}));
  std::vector<double> changes;
  for (int i = 0; i < 11; ++i)
    changes.push_back(ask(proxy->apply, Msg::map({{"set", Msg::array({service(count / 11 * i, i % 2 ? "10.88.1.12" : "10.88.1.20")})}, {"removed", Msg::array()}})));
  const double first = connect_ms(lab, address(0)), last = connect_ms(lab, address(count - 1));
  printf("{\"load_ms\": %.0f, \"change_ms\": %.1f, \"first_us\": %.0f, \"last_us\": %.0f}\n", load, median(changes), first * 1000, last * 1000);
  fflush(stdout);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return fprintf(stderr, "usage: bench_proxy PLUGIN.so SERVICES\n"), 2;
  std::string directory = "/tmp/bench-proxy-XXXXXX";
  if (!mkdtemp(directory.data())) return 1;
  int code = 1;
  std::string wrong;
  try {
    code = run(argv[1], atoi(argv[2]), directory);
  } catch (const Wrong& w) {
    wrong = w.what;
  } catch (const lotse::check::Failed& failed) {
    wrong = failed.why;
  } catch (const lotse::check::Skipped& skipped) {
    wrong = skipped.why;
  } catch (const std::exception& e) {
    wrong = e.what();
  }
  std::filesystem::remove_all(directory);
  if (!wrong.empty()) fprintf(stderr, "bench_proxy: %s\n", wrong.c_str());
  _exit(code);  // the lab's servers run on
}
