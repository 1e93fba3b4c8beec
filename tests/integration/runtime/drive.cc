// runtime_drive PLUGIN.so HOST_DIR COMMAND [ARGUMENT]...: makes an instance of a runtime plugin and does one thing.
//
//   start TAR...                      starts the managed runtime, and imports the archives
//   restart IMAGE CNI CGROUP DAEMON   kills the managed daemon under a running pod: events end, the fault is raised and
//                                     cleared, calls work again, the pod is what it was and its log lacks nothing
//   idle THREAD                       fails if the plugin's thread of that name wakes while nothing happens
//   bench IMAGE CNI CGROUP N          sandbox and container from creation to running and gone, N times
#include <dlfcn.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "lotse/abi/entry.h"
#include "lotse/call.hpp"
#include "sdk/conformance/check_host.h"
#include "sdk/conformance/config.h"
#include "sdk/conformance/runtime/cases.h"

using namespace lotse::conformance;
using lotse::sdk::Msg;
using Table = lotse_runtime;

namespace {

using Words = std::vector<std::string>;
Msg id_map(const std::string& id) {
  return Msg::map({{"id", id}});
}

void start(RuntimeBed& bed, const Words& archives) {
  for (auto& path : archives) bed.must(&Table::image_import, Msg::map({{"path", path}}));
  printf("%s\n", bed.must(&Table::info, Msg::map())["version"].str().c_str());
}

int pid_of_daemon(const std::string& host, const std::string& daemon) {
  std::ifstream file(host + "/run/" + daemon + ".pid");
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, 4, "pid=") == 0) return atoi(line.c_str() + 4);
  }
  throw Wrong{"there is no pid file"};
}

// Every number from 1 on, each once.
int counted(const std::string& log) {
  std::ifstream file(log);
  int expected = 1;
  for (std::string line; std::getline(file, line); expected++) {
    std::string number = line.substr(line.rfind(' ') + 1);
    require(number == std::to_string(expected), "the log goes from " + std::to_string(expected - 1) + " to " + number);
  }
  return expected - 1;
}

void restart(RuntimeBed& bed, lotse::check::CheckHost& host, const std::string& daemon) {
  std::string sandbox = bed.sandbox("survivor");
  std::string id = bed.running(sandbox, "main", {"sh", "-c", "exec sleep 1000"});
  bed.running(sandbox, "counter", {"sh", "-c", "i=0; while true; do i=$((i+1)); echo $i; sleep 0.01; done"});
  Msg before = bed.until(id, "running");
  Stream events(bed.runtime(), bed.runtime()->events, Msg::map());
  events.grant(1 << 20);
  require(events.next_item()["kind"].as_text() == "resync", "the first item is no resync");
  int old = pid_of_daemon(host.directory(), daemon);
  require(kill(old, SIGKILL) == 0, daemon + " cannot be killed");
  Answer end = events.end();
  require(end.code == LOTSE_UNAVAILABLE, "the events ended with code " + std::to_string(end.code) + " " + end.text);
  Stream again(bed.runtime(), bed.runtime()->events, Msg::map());
  again.grant(1 << 20);
  require(again.next_item()["kind"].as_text() == "resync", "the first item after it is no resync");
  require(pid_of_daemon(host.directory(), daemon) != old, "it is the same " + daemon);
  require(host.faults().empty(), "the fault is still raised");
  Msg after = bed.until(id, "running");
  require(after["pid"].as_int() == before["pid"].as_int() && after["started"].as_int() == before["started"].as_int(),
          "the container is not what it was");
  Msg echoed =
      bed.must(&Table::exec_sync,
               Msg::map({{"id", id}, {"command", Msg::strings({"echo", "alive"})}, {"timeout_ns", 20'000'000'000}}));
  require(echoed["stdout"].as_text() == "alive\n", "exec does not work after it");
  int before_it = counted(bed.log_path("counter"));
  for (int i = 0; i < 100 && counted(bed.log_path("counter")) < before_it + 10; i++) usleep(100'000);
  require(counted(bed.log_path("counter")) >= before_it + 10, "the log does not go on after it");
}

double median(std::vector<double> all) {
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

void bench(RuntimeBed& bed, int rounds) {
  std::vector<double> up, down;
  for (int i = 0; i < rounds; i++) {
    int64_t began = lotse::sdk::monotonic_ns();
    std::string name = "bench" + std::to_string(i);
    std::string sandbox = bed.must(&Table::sandbox_run, bed.sandbox_request(name))["id"].str();
    std::string id = bed.container(bed.container_request(sandbox, "main", {"sleep", "1000"}));
    bed.must(&Table::container_start, id_map(id));
    require(bed.status(id)["state"].as_text() == "running", "it does not run");
    int64_t running = lotse::sdk::monotonic_ns();
    bed.must(&Table::container_stop, Msg::map({{"id", id}, {"timeout_ns", 0}}));
    bed.must(&Table::container_remove, id_map(id));
    bed.must(&Table::sandbox_stop, id_map(sandbox));
    bed.must(&Table::sandbox_remove, id_map(sandbox));
    up.push_back(static_cast<double>(running - began) / 1e6);
    down.push_back(static_cast<double>(lotse::sdk::monotonic_ns() - running) / 1e6);
  }
  printf("plugin up_ms %.1f down_ms %.1f\n", median(up), median(down));
}

// How often the plugin's thread wakes in five seconds in which nothing happens, with events open.
void idle(RuntimeBed& bed, const std::string& thread) {
  Stream events(bed.runtime(), bed.runtime()->events, Msg::map());
  events.grant(1 << 20);
  events.next_item();
  auto switches = [&] {
    long count = -1;
    for (auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::ifstream status(task.path() / "status");
      std::string line, name;
      while (std::getline(status, line)) {
        if (line.rfind("Name:", 0) == 0) name = line.substr(6);
        if (line.rfind("voluntary_ctxt_switches:", 0) == 0 && name == thread) count = atol(line.c_str() + 24);
      }
    }
    return count;
  };
  usleep(1'000'000);
  long before = switches();
  usleep(5'000'000);
  long woken = switches() - before;
  printf("idle wakeups_in_5s %ld\n", woken);
  require(before >= 0 && woken <= 2, "the idle plugin wakes");
}

}  // namespace

int main(int argc, char** argv) try {
  Words words(argv + 1, argv + argc);
  if (words.size() < 3) return fprintf(stderr, "runtime_drive PLUGIN.so HOST_DIR start|restart|bench ...\n"), 2;
  void* library = dlopen(words[0].c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return fprintf(stderr, "%s\n", dlerror()), 2;
  auto* plugin = static_cast<const lotse_plugin*>(dlsym(library, LOTSE_PLUGIN_ENTRY_SYMBOL));
  auto* factory = plugin->get_factory(LOTSE_FACTORY_RUNTIME);
  lotse::check::CheckHost host(words[1], false);
  std::string config = lotse::check::make_config(*factory, "");
  auto make = [&] {
    lotse_error error{sizeof error, 0, ""};
    auto* made = factory->create(host.c(), lotse::sdk::bytes(config), &error);
    if (made == nullptr) throw Wrong{error.message};
    return reinterpret_cast<const lotse_runtime*>(made);
  };
  const std::string& command = words[2];
  Words rest(words.begin() + 3, words.end());
  RuntimeSetting setting;
  setting.directory = words[1] + "/logs";
  mkdir(setting.directory.c_str(), 0700);
  setting.pause_image = "lotse.local/pause:1";
  if (command != "start" && rest.size() >= 3)
    setting.image = rest[0], setting.cni = rest[1], setting.cgroup_parent = rest[2];
  RuntimeBed bed(setting, make, false);
  if (command == "start") start(bed, rest);
  if (command == "restart") restart(bed, host, rest.at(3));
  if (command == "idle") idle(bed, rest.at(0));
  if (command == "bench") bench(bed, atoi(rest.at(3).c_str()));
  return 0;
} catch (const Wrong& wrong) {
  fprintf(stderr, "%s\n", wrong.what.c_str());
  return 1;
}
