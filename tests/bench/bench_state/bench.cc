// bench_state [DIRECTORY] [SECONDS]: durable puts per second of the LMDB store with 1, 256 and 16 clients, the last by turns with a
// private etcd with 16, on the same disk; the syncs per second of both. A client has one put of 1 KB under way at a
// time.
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <lotse/state/engine.hpp>

#include "bench/bench_state/etcd.h"
#include "plugins/state_lmdb/lmdb_storage.h"

namespace {
std::atomic<uint64_t> syncs{0};
}

// In the place of the C library's, to count: LMDB syncs its data with fdatasync, its meta page by a write with O_DSYNC.
extern "C" __attribute__((visibility("default"))) int fdatasync(int fd) {
  ++syncs;
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}
extern "C" __attribute__((visibility("default"))) ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  if ((fcntl(fd, F_GETFL) & O_DSYNC) != 0) ++syncs;
  return syscall(SYS_pwrite64, fd, data, size, offset);
}

namespace lotse::bench {
namespace {
constexpr size_t kValueBytes = 1024, kTurns = 3;
// A commit of LMDB needs two syncs, etcd's one: where a sync takes longer than all the rest, half as many puts are to be expected.
constexpr double kSlack = 0.3;

// Puts again as soon as its last put is answered.
class Client {
 public:
  Client(state::Engine& engine, int number, std::atomic<bool>& stop, std::atomic<uint64_t>& puts)
      : engine_(engine), prefix_("/bench/" + std::to_string(number) + "/"), stop_(stop), puts_(puts) {}
  void put() {
    std::string key = prefix_ + std::to_string(n_++);
    lotse_state_op op{};
    op.size = sizeof op;
    op.kind = LOTSE_STATE_PUT;
    op.key = {key.data(), key.size()};
    op.value = {value_.data(), value_.size()};
    op.expected = LOTSE_STATE_ANY;
    engine_.commit(&op, 1, answered, this);
  }
  std::atomic<bool> ended{false};
  bool broken = false;

 private:
  static void answered(void* ctx, const lotse_state_outcome* outcomes, size_t) {
    auto& client = *static_cast<Client*>(ctx);
    client.broken = client.broken || outcomes[0].code != LOTSE_OK;
    ++client.puts_;
    if (client.stop_ || client.broken) {
      client.ended = true;
      client.ended.notify_one();
    } else {
      client.put();
    }
  }
  state::Engine& engine_;
  std::string prefix_, value_ = std::string(kValueBytes, 'v');
  uint64_t n_ = 0;
  std::atomic<bool>& stop_;
  std::atomic<uint64_t>& puts_;
};

struct Figures {
  double puts_per_second, syncs_per_second;
};

Figures run(state::Engine& engine, int count, double seconds) {
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> puts{0};
  std::vector<std::unique_ptr<Client>> clients;
  uint64_t syncs_before = syncs;
  auto began = std::chrono::steady_clock::now();
  for (int c = 0; c < count; ++c) {
    clients.push_back(std::make_unique<Client>(engine, c, stop, puts));
    clients.back()->put();
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (auto& client : clients) {
    client->ended.wait(false);
    if (client->broken) fprintf(stderr, "a put failed\n"), exit(1);
  }
  double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return {static_cast<double>(puts) / took, static_cast<double>(syncs - syncs_before) / took};
}

int bench(const std::string& directory, double seconds) {
  std::filesystem::create_directories(directory + "/lmdb");
  state_lmdb::Options options;
  options.directory = directory + "/lmdb";
  std::unique_ptr<state_lmdb::LmdbStorage> storage;
  if (auto status = state_lmdb::LmdbStorage::open(options, {}, storage); !status.ok()) {
    fprintf(stderr, "%s\n", status.message.c_str());
    return 1;
  }
  state::Engine engine(std::move(storage));
  const auto lmdb = [&](int clients) {
    Figures f = run(engine, clients, seconds);
    printf("lmdb  %3d clients  %8.0f durable puts/s  %6.0f syncs/s  %5.3f ms a put\n", clients, f.puts_per_second,
           f.syncs_per_second, 1000 / f.puts_per_second);
    fflush(stdout);
    return f.puts_per_second;
  };
  lmdb(1);
  lmdb(256);
  Etcd etcd;
  std::string why;
  if (!etcd.start(directory + "/etcd", why)) {
    fprintf(stderr, "%s\n", why.c_str());
    return 1;
  }
  // By turns: others use the disk too.
  std::array<double, kTurns> ratios;
  for (double& ratio : ratios) {
    const double ours = lmdb(16);
    const Etcd::Figures f = etcd.run(16, kValueBytes, seconds);
    if (!f.good) return fprintf(stderr, "a put to etcd failed\n"), 1;
    printf("etcd   16 clients  %8.0f durable puts/s  %6.0f syncs/s  (HTTP/1.1 through its JSON gateway)\n",
           f.puts_per_second, f.syncs_per_second);
    ratio = ours / f.puts_per_second;
  }
  std::sort(ratios.begin(), ratios.end());
  printf("lmdb is %.2f times as fast as etcd with 16 clients\n", ratios[kTurns / 2]);
  return ratios[kTurns / 2] >= kSlack ? 0 : 1;
}
}  // namespace
}  // namespace lotse::bench

int main(int argc, char** argv) {
  std::string base = argc > 1 ? argv[1] : std::filesystem::temp_directory_path().string();
  std::string directory = base + "/lotse-bench-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) return perror(directory.c_str()), 1;
  int code = lotse::bench::bench(directory, argc > 2 ? atof(argv[2]) : 3);
  std::filesystem::remove_all(directory);
  return code;
}
