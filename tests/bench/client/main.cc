// bench_client COMMAND ...: the loads that the scripts of this folder put on lotsed. Each prints one line of JSON.
//   create HOST PORT CREDENTIALS PATH COUNT CONNECTIONS PREFIX BODY_FILE   "@NAME@" in the body becomes PREFIX-n
//   delete HOST PORT CREDENTIALS PATH COUNT CONNECTIONS PREFIX             what create made
//   read   HOST PORT CREDENTIALS PATH SECONDS CONNECTIONS                  the same GET over and over
//   pods   HOST PORT CREDENTIALS PATH COUNT             watches until COUNT pods are bound and Running
//   watch  HOST PORT CREDENTIALS PATH COUNT WATCHES PREFIX  until each watch has seen COUNT objects named PREFIX...
//   etcd   DIRECTORY SECONDS CLIENTS                    puts of 1 KB to a private etcd
#include <cstdio>
#include <stdexcept>

#include "bench/bench_state/etcd.h"
#include "bench/client/tls_connection.h"

namespace lotse::bench {
namespace {
using SteadyClock = std::chrono::steady_clock;

double since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}
double now() {
  return since({});
}

struct Load {
  uint64_t requests = 0, bytes = 0;
  double seconds = 0;
  std::vector<double> took;  // milliseconds

  void print() {
    std::sort(took.begin(), took.end());
    auto at = [&](double share) {
      return took.empty() ? 0 : took[static_cast<size_t>(share * static_cast<double>(took.size() - 1))];
    };
    printf(
        "{\"requests\": %lu, \"seconds\": %.4f, \"per_second\": %.1f, \"mb_per_second\": %.1f, \"p50_ms\": %.3f, "
        "\"p99_ms\": %.3f}\n",
        requests, seconds, static_cast<double>(requests) / seconds, static_cast<double>(bytes) / seconds / 1e6, at(0.5),
        at(0.99));
  }
};

// Each connection has a thread and one request under way; `next` does one, returns the answer's size, or -1 when all is
// done.
template <class Next>
Load run(const Server& server, int connections, Next next) {
  std::vector<std::unique_ptr<TlsConnection>> all;
  for (int c = 0; c < connections; ++c) all.push_back(std::make_unique<TlsConnection>(server));
  std::mutex mutex;
  Load load;
  std::string broken;
  std::vector<std::thread> threads;
  const auto begin = SteadyClock::now();
  for (auto& connection : all) {
    threads.emplace_back([&, c = connection.get()] {
      Load mine;
      std::string why;
      try {
        for (;;) {
          const auto asked = SteadyClock::now();
          const int64_t bytes = next(*c);
          if (bytes < 0) break;
          mine.took.push_back(1000 * since(asked));
          ++mine.requests, mine.bytes += static_cast<uint64_t>(bytes);
        }
      } catch (const std::exception& error) {
        why = error.what();
      }
      std::lock_guard lock(mutex);
      load.requests += mine.requests, load.bytes += mine.bytes;
      load.took.insert(load.took.end(), mine.took.begin(), mine.took.end());
      if (!why.empty()) broken = why;
    });
  }
  for (auto& thread : threads) thread.join();
  load.seconds = since(begin);
  if (!broken.empty()) throw std::runtime_error(broken);
  return load;
}

int64_t checked(const TlsConnection::Answer& answer) {
  if (answer.status / 100 != 2)
    throw std::runtime_error("status " + std::to_string(answer.status) + ": " + answer.body);
  return static_cast<int64_t>(answer.bytes);
}

std::string read_whole(const std::string& path) {
  std::string text;
  FILE* file = fopen(path.c_str(), "r");
  if (file == nullptr) throw std::runtime_error(path + ": " + strerror(errno));
  char buffer[4096];
  for (size_t got; (got = fread(buffer, 1, sizeof buffer, file)) > 0;) text.append(buffer, got);
  fclose(file);
  return text;
}

void create(const Server& server, const std::string& path, int64_t count, int connections, const std::string& prefix,
            const std::string& body_file) {
  const std::string body = read_whole(body_file), mark = "@NAME@";
  const size_t place = body.find(mark);
  if (place == std::string::npos) throw std::runtime_error(body_file + " has no " + mark);
  std::atomic<int64_t> n{0};
  run(server, connections, [&](TlsConnection& c) -> int64_t {
    const int64_t mine = n++;
    if (mine >= count) return -1;
    std::string text = body;
    text.replace(place, mark.size(), prefix + "-" + std::to_string(mine));
    return checked(c.ask("POST", path, text));
  }).print();
}

void remove(const Server& server, const std::string& path, int64_t count, int connections, const std::string& prefix) {
  std::atomic<int64_t> n{0};
  run(server, connections, [&](TlsConnection& c) -> int64_t {
    const int64_t mine = n++;
    return mine >= count ? -1 : checked(c.ask("DELETE", path + "/" + prefix + "-" + std::to_string(mine), ""));
  }).print();
}

void read(const Server& server, const std::string& path, double seconds, int connections) {
  const auto begin = SteadyClock::now();
  run(server, connections, [&](TlsConnection& c) -> int64_t {
    return since(begin) > seconds ? -1 : checked(c.ask("GET", path, "", false));
  }).print();
}

std::string_view between(std::string_view text, std::string_view before) {
  const size_t at = text.find(before);
  if (at == text.npos) return {};
  text.remove_prefix(at + before.size());
  return text.substr(0, text.find('"'));
}

// The times are those of the monotonic clock, which others on this machine read too.
void pods(const Server& server, const std::string& path, size_t count) {
  std::unordered_set<std::string> bound, running;
  std::vector<double> bound_at, running_at;
  TlsConnection connection(server);
  printf("watching\n");
  fflush(stdout);
  size_t events = 0;
  connection.watch(path + "?watch=true&resourceVersion=0", [&](std::string_view line) {
    ++events;
    const std::string name(between(line, "\"name\":\""));
    if (line.find("\"nodeName\":\"") != line.npos && bound.insert(name).second) bound_at.push_back(now());
    if (line.find("\"phase\":\"Running\"") != line.npos && running.insert(name).second) running_at.push_back(now());
    return running.size() < count;
  });
  printf(
      "{\"bound_first\": %.4f, \"bound_last\": %.4f, \"running_first\": %.4f, \"running_last\": %.4f, \"events\": "
      "%zu}\n",
      bound_at.front(), bound_at.back(), running_at.front(), running_at.back(), events);
}

// "last_at": when the last of the watches had seen the first object, the second, and so on; monotonic clock.
void watch(const Server& server, const std::string& path, size_t count, size_t watches, const std::string& prefix) {
  std::vector<std::unique_ptr<TlsConnection>> all;
  for (size_t i = 0; i < watches; ++i) all.push_back(std::make_unique<TlsConnection>(server));
  std::mutex mutex;
  std::vector<double> last(count, 0);
  std::string broken;
  std::vector<std::thread> threads;
  for (auto& connection : all) {
    threads.emplace_back([&, c = connection.get()] {
      std::vector<double> mine;
      try {
        c->watch(path + "?watch=true&resourceVersion=0", [&](std::string_view line) {
          if (between(line, "\"name\":\"").starts_with(prefix)) mine.push_back(now());
          return mine.size() < count;
        });
      } catch (const std::exception& error) {
        std::lock_guard lock(mutex);
        broken = error.what();
      }
      std::lock_guard lock(mutex);
      for (size_t i = 0; i < mine.size(); ++i) last[i] = std::max(last[i], mine[i]);
    });
  }
  printf("watching\n");
  fflush(stdout);
  for (auto& thread : threads) thread.join();
  if (!broken.empty()) throw std::runtime_error(broken);
  printf("{\"last_at\": [");
  for (size_t i = 0; i < count; ++i) printf("%s%.5f", i ? ", " : "", last[i]);
  printf("]}\n");
}

void etcd(const std::string& directory, double seconds, int clients) {
  Etcd server;
  std::string why;
  if (!server.start(directory, why)) throw std::runtime_error(why);
  const Etcd::Figures f = server.run(clients, 1024, seconds);
  if (!f.good) throw std::runtime_error("a put to etcd failed");
  printf("{\"per_second\": %.1f, \"syncs_per_second\": %.1f, \"cpu_ms\": %.3f}\n", f.puts_per_second,
         f.syncs_per_second, f.cpu_ms);
}

int act(const std::vector<std::string>& a) {
  const std::string command = a.at(0);
  if (command == "etcd") return etcd(a.at(1), std::stod(a.at(2)), std::stoi(a.at(3))), 0;
  const Server server{a.at(1), std::stoi(a.at(2)), a.at(3)};
  if (command == "create") return create(server, a.at(4), std::stol(a.at(5)), std::stoi(a.at(6)), a.at(7), a.at(8)), 0;
  if (command == "delete") return remove(server, a.at(4), std::stol(a.at(5)), std::stoi(a.at(6)), a.at(7)), 0;
  if (command == "read") return read(server, a.at(4), std::stod(a.at(5)), std::stoi(a.at(6))), 0;
  if (command == "pods") return pods(server, a.at(4), std::stoul(a.at(5))), 0;
  if (command == "watch") return watch(server, a.at(4), std::stoul(a.at(5)), std::stoul(a.at(6)), a.at(7)), 0;
  throw std::runtime_error("unknown command " + command);
}
}  // namespace
}  // namespace lotse::bench

int main(int argc, char** argv) try {
  return lotse::bench::act({argv + 1, argv + argc});
} catch (const std::out_of_range&) {
  fprintf(stderr, "an argument is missing: see the top of tests/bench/client/main.cc\n");
  return 2;
} catch (const std::exception& error) {
  fprintf(stderr, "%s\n", error.what());
  return 1;
}
