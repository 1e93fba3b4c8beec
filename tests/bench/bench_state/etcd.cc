#include "bench/bench_state/etcd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

extern char** environ;

namespace lotse::bench {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int free_port() {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) return 0;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

// An HTTP/1.1 connection that asks one thing after the other.
class Connection {
 public:
  explicit Connection(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(port);
    int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    good_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Connection() { close(fd_); }
  bool good() const { return good_; }
  // The answer's text; empty if it is not a 200.
  std::string ask(const std::string& method, const std::string& path, const std::string& body) {
    std::string request = method + " " + path +
                          " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
                          "\r\nContent-Type: application/json\r\n\r\n" + body;
    if (send(fd_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) return "";
    std::string answer;
    size_t head = std::string::npos;
    while ((head = answer.find("\r\n\r\n")) == std::string::npos) {
      if (!more(answer)) return "";
    }
    size_t length_at = answer.find("Content-Length: ");
    if (length_at != std::string::npos && length_at < head) {
      size_t length = std::stoul(answer.substr(length_at + 16));
      while (answer.size() < head + 4 + length) {
        if (!more(answer)) return "";
      }
    } else {
      while (!answer.ends_with("0\r\n\r\n")) {
        if (!more(answer)) return "";
      }
    }
    return answer.starts_with("HTTP/1.1 200") ? answer.substr(head + 4) : "";
  }

 private:
  bool more(std::string& answer) {
    char buffer[65536];
    ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
    if (got > 0) answer.append(buffer, static_cast<size_t>(got));
    return got > 0;
  }
  int fd_;
  bool good_ = false;
};

std::string base64(const std::string& text) {
  std::string out(4 * ((text.size() + 2) / 3) + 1, '\0');
  int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                             reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  out.resize(static_cast<size_t>(size));
  return out;
}

double metric(const std::string& text, const std::string& name) {
  size_t at = text.find("\n" + name + " ");
  return at == std::string::npos ? 0 : std::stod(text.substr(at + name.size() + 2));
}
}  // namespace

bool Etcd::start(const std::string& directory, std::string& why) {
  port_ = free_port();
  std::string client = "http://127.0.0.1:" + std::to_string(port_);
  std::string peer = "http://127.0.0.1:" + std::to_string(free_port());
  std::vector<std::string> words{"etcd",
                                 "--data-dir",
                                 directory,
                                 "--listen-client-urls",
                                 client,
                                 "--advertise-client-urls",
                                 client,
                                 "--listen-peer-urls",
                                 peer,
                                 "--initial-advertise-peer-urls",
                                 peer,
                                 "--initial-cluster",
                                 "default=" + peer,
                                 "--log-level",
                                 "error"};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  int rc = posix_spawnp(&pid_, "etcd", &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (rc != 0) return pid_ = -1, why = "there is no etcd here", false;
  auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (std::chrono::steady_clock::now() < until) {
    Connection connection(port_);
    if (connection.good() && connection.ask("GET", "/health", "").find("true") != std::string::npos) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return why = "etcd did not become healthy", false;
}

Etcd::~Etcd() {
  if (pid_ < 0) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
}

double Etcd::syncs() {
  std::string text = Connection(port_).ask("GET", "/metrics", "");
  return metric(text, "etcd_disk_wal_fsync_duration_seconds_count") +
         metric(text, "etcd_disk_backend_commit_duration_seconds_count");
}

// Its processor time so far.
double Etcd::cpu_seconds() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), {}), word;
  const size_t name = text.rfind(") ");
  if (name == text.npos) return 0;
  std::istringstream words(text.substr(name + 2));
  double ticks = 0;
  for (int i = 3; words >> word && i <= 15; ++i) {
    if (i >= 14) ticks += std::stod(word);  // utime, stime
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

Etcd::Figures Etcd::run(int clients, size_t value_bytes, double seconds) {
  std::atomic<bool> stop{false}, broken{false};
  std::atomic<uint64_t> puts{0};
  std::string value = base64(std::string(value_bytes, 'v'));
  double syncs_before = syncs(), cpu_before = cpu_seconds();
  auto began = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int c = 0; c < clients; ++c) {
    threads.emplace_back([&, c] {
      Connection connection(port_);
      for (uint64_t n = 0; !stop; ++n) {
        std::string key = base64("/bench/" + std::to_string(c) + "/" + std::to_string(n));
        if (connection.ask("POST", "/v3/kv/put", "{\"key\":\"" + key + "\",\"value\":\"" + value + "\"}").empty()) {
          broken = true;
          return;
        }
        ++puts;
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (auto& thread : threads) thread.join();
  double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return {static_cast<double>(puts) / took, (syncs() - syncs_before) / took,
          1000 * (cpu_seconds() - cpu_before) / static_cast<double>(puts), !broken};
}

}  // namespace lotse::bench
