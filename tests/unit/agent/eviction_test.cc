// Who has to go, who is not let in, and who keeps more on the disk than he may.
#include <unistd.h>

#include <filesystem>

#include "core/agent/eviction.h"
#include "core/agent/local_storage.h"
#include "core/base/file.h"
#include "tests/unit/agent/story.h"

using namespace lotse;
using namespace lotse::agent;
namespace fs = std::filesystem;

namespace {

EvictionCandidate candidate(std::string uid, int64_t priority, int64_t used, int64_t requested) {
  return {std::move(uid), priority, used, requested, {}, {}};
}

std::string order(std::vector<EvictionCandidate> list) {
  std::string out;
  for (const auto& c : eviction_order(std::move(list))) out += (out.empty() ? "" : " ") + c.uid;
  return out;
}

}  // namespace

TEST_CASE("victims: over their request first, then by priority, then by how much over") {
  CHECK(order({candidate("within", 0, 10, 20), candidate("over", 100, 30, 20)}) == "over within");
  CHECK(order({candidate("important", 5, 900, 0), candidate("small", 0, 1, 0)}) == "small important");
  CHECK(order({candidate("some", 0, 10, 0), candidate("much", 0, 100, 0), candidate("asked", 0, 150, 100)}) == "much asked some");
  CHECK(order({candidate("near", 0, 19, 20), candidate("far", 0, 5, 20)}) == "near far");
  CHECK(order({candidate("system", 2000000000, 900, 0), candidate("user", 1000000000, 1, 0)}) == "user");
}

TEST_CASE("what a victim is told") {
  EvictionCandidate c = candidate("u", 0, 3072, 1024);
  c.by_container = {{"a", 2048}, {"b", 1024}};
  c.requests = {{"b", 1024}};
  CHECK(eviction_message({"memory", 104857600, 1048576, false}, c) ==
        "The node was low on resource: memory. Threshold quantity: 102400Ki, available: 1024Ki. "
        "Container a was using 2Ki, request is 0, has larger consumption of memory. ");
  CHECK(eviction_message({"ephemeral-storage", 10, 4, true}, candidate("u", 0, 0, 0)) ==
        "The node was low on resource: ephemeral-storage. Threshold quantity: 10%, available: 4%. ");
}

TEST_CASE("under pressure: best effort waits for memory, and everybody for a disk") {
  auto best = yaml("spec: {containers: [{name: a}]}");
  auto burst = yaml("spec: {containers: [{name: a, resources: {requests: {memory: 1Mi}}}]}");
  auto tolerant = yaml("spec: {tolerations: [{key: node.kubernetes.io/memory-pressure, operator: Exists, effect: NoSchedule}], containers: [{name: a}]}");
  auto critical = yaml("spec: {priority: 2000000000, containers: [{name: a}]}");
  CHECK_FALSE(refused_under_pressure(best, {}));
  CHECK(refused_under_pressure(best, {true, false, false}) == "The node had condition: [MemoryPressure]. ");
  CHECK_FALSE(refused_under_pressure(burst, {true, false, false}));
  CHECK_FALSE(refused_under_pressure(tolerant, {true, false, false}));
  CHECK(refused_under_pressure(burst, {true, true, false}) == "The node had condition: [MemoryPressure DiskPressure]. ");
  CHECK(refused_under_pressure(tolerant, {false, false, true}) == "The node had condition: [PIDPressure]. ");
  CHECK_FALSE(refused_under_pressure(critical, {true, true, true}));
}

TEST_CASE("limits of local storage: a volume's, a container's, and the pod's as their sum") {
  auto pod = yaml(R"(
spec:
  volumes:
  - {name: data, emptyDir: {sizeLimit: 1Mi}}
  - {name: fast, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
  - {name: open, emptyDir: {}}
  containers:
  - {name: a, resources: {limits: {ephemeral-storage: 2Mi}}}
  - {name: b, resources: {limits: {ephemeral-storage: 3Mi}}}
)");
  auto limits = storage_limits(pod);
  CHECK(limits.volumes == std::map<std::string, std::string>{{"data", "1Mi"}});  // one in memory is limited by its mount
  CHECK(limits.any());
  constexpr int64_t kMi = 1 << 20;
  CHECK_FALSE(storage_excess(limits, {{{"data", kMi}}, {{"a", kMi}}, {{"b", 3 * kMi}}}));
  CHECK(storage_excess(limits, {{{"data", kMi + 1}}, {}, {}}) == "Usage of EmptyDir volume \"data\" exceeds the limit \"1Mi\". ");
  CHECK(storage_excess(limits, {{{"open", 4 * kMi}}, {{"a", kMi}}, {{"b", kMi}}}) ==
        "Pod ephemeral local storage usage exceeds the total limit of containers 5Mi. ");
  CHECK(storage_excess(limits, {{}, {{"a", kMi}}, {{"a", kMi + 1}}}) == "Container a exceeded its local ephemeral storage limit \"2Mi\". ");
  CHECK_FALSE(storage_limits(yaml("spec: {volumes: [{name: open, emptyDir: {}}], containers: [{name: a}]}")).any());
}

TEST_CASE("what a pod keeps on the disk: volumes and logs, links not followed, one file counted once") {
  std::string dir = (fs::temp_directory_path() / "lotse-agent-XXXXXX").string();
  REQUIRE(mkdtemp(dir.data()));
  PodDirs dirs{dir + "/pod", dir + "/logs"};
  auto data = dirs.volume("empty-dir", "data");
  fs::create_directories(data + "/deep/er");
  fs::create_directories(dirs.logs + "/app");
  auto base = disk_usage(data);
  REQUIRE(write_file_atomically(data + "/deep/er/file", std::string(1 << 20, 'x'), 0644).ok());
  fs::create_hard_link(data + "/deep/er/file", data + "/again");
  fs::create_symlink("/usr", data + "/link");
  REQUIRE(write_file_atomically(dirs.logs + "/app/0.log", std::string(1 << 16, 'x'), 0644).ok());
  auto use = measure_storage(yaml("spec: {volumes: [{name: data, emptyDir: {}}, {name: c, configMap: {name: c}}], containers: [{name: app}]}"), dirs);
  CHECK(use.volumes.at("data") - base >= (1 << 20));
  CHECK(use.volumes.at("data") - base < (1 << 20) + (1 << 16));
  CHECK(use.volumes.size() == 1);
  CHECK(use.logs.at("app") >= (1 << 16));
  CHECK(disk_usage(dir + "/nothing") == 0);
  fs::remove_all(dir);
}
