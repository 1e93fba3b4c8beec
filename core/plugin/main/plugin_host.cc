// lotse-plugin-host: one plugin in a process of its own, started by lotsed, which talks to it over descriptor 3 (sdk/isolation). It holds
// nothing: when lotsed ends, however that happens, the socket closes and it ends as well, and a new one finds everything again.
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <new>

#include "core/base/log.h"
#include "core/base/msgpack.h"
#include "core/plugin/code.h"
#include "core/plugin/plugins.h"
#include "sdk/isolation/far_end.h"
#include "sdk/isolation/host_process.h"

namespace {
using namespace lotse;
using isolation::Frame;
using isolation::FrameType;
constexpr int kSocket = isolation::HostProcess::kSocket;
constexpr size_t kWorkersMax = 16, kQueueMax = 8192;
constexpr size_t kStack = 1 << 20;  // of threads: with a limit of memory, stacks count
constexpr int kLinesPerSecond = 100;

// Whole frames, one after the other. It may wait for lotsed to read.
void send_frame(const Frame& frame) {
  static std::mutex mutex;
  std::string out;
  isolation::append_frame(&out, frame);
  std::lock_guard lock(mutex);
  for (size_t at = 0; at < out.size();) {
    const ssize_t n = send(kSocket, out.data() + at, out.size() - at, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) _exit(0);  // lotsed has gone
    at += static_cast<size_t>(n);
  }
}

// lotse.host.log/1: lines go to lotsed, which writes them as those of any plugin.
struct Log {
  lotse_host_log raw{sizeof raw, 0, this, write, level};
  std::mutex mutex;
  int64_t second = 0;
  int lines = 0;

  static int32_t level(void*) { return static_cast<int32_t>(log::level()); }
  static void write(void* self, int32_t level, const char* event, lotse_bytes message, const lotse_pair* fields, size_t count) {
    auto* log = static_cast<Log*>(self);
    if (level < static_cast<int32_t>(log::level())) return;
    int number;
    {
      std::lock_guard lock(log->mutex);
      const int64_t now = isolation::monotonic_now() / 1'000'000'000;
      if (now != log->second) log->second = now, log->lines = 0;
      number = ++log->lines;
    }
    if (number > kLinesPerSecond + 1) return;
    MsgValue line = MsgValue::array();
    if (number <= kLinesPerSecond) {
      line.push(std::string_view(event ? event : "event"));
      line.push(plugin::view(message).substr(0, 8192));
      for (size_t i = 0; i < std::min<size_t>(count, 32); ++i) line.push(plugin::view(fields[i].key)), line.push(plugin::view(fields[i].value));
    }
    send_frame({FrameType::kLog, 0, static_cast<uint32_t>(level), 0, line.encode()});  // an empty one: more than is written
  }
};

// lotse.host.fault/1.
void send_fault(const char* id, std::string_view reason, std::string_view message) {
  send_frame({FrameType::kFault, 0, 0, 0, MsgValue::array({std::string_view(id), reason, message}).encode()});
}
const lotse_host_fault kFault{
    sizeof(lotse_host_fault), 0, nullptr,
    [](void*, const char* id, const char* reason, lotse_bytes message) { send_fault(id, reason, plugin::view(message)); },
    [](void*, const char* id) { send_fault(id, "", ""); }};

void limit_memory(int64_t bytes) {
  if (bytes <= 0) return;
  // Writable memory of our own, not address space, of which libraries and arenas reserve more than they use. Only the soft limit: what
  // the plugin starts may raise it again.
  rlimit limit{};
  getrlimit(RLIMIT_DATA, &limit);
  limit.rlim_cur = std::min<rlim_t>(static_cast<rlim_t>(bytes), limit.rlim_max);
  setrlimit(RLIMIT_DATA, &limit);
  std::set_new_handler([] { _exit(isolation::HostProcess::kExitMemory); });
}

// One plugin's host, for as long as the process lives.
class PluginProcess {
 public:
  void receive(Frame frame) {
    if (frame.type == FrameType::kCreate) return create(frame);
    const bool last = frame.type == FrameType::kDestroy;
    if (end_) end_->receive(std::move(frame));
    if (last) _exit(0);
  }

 private:
  void create(const Frame& frame) {
    Status status = end_ ? Status(Reason::kBadRequest, "there is an instance already") : make(frame.payload);
    send_frame({FrameType::kDone, frame.id, static_cast<uint32_t>(plugin::code_of(status)), 0, status.message});
  }
  Status make(const std::string& encoded) {
    LOTSE_TRY(MsgValue d, MsgValue::parse(encoded));
    auto text = [&](const char* key) { return std::string(d[key].as_text()); };
    log::set_level(log::Level(std::clamp<int64_t>(d["log_level"].as_int(), 0, 3)));
    pthread_setname_np(pthread_self(), "plugin-host");
    limit_memory(d["memory"].as_int());
    plugin::HostOptions options;
    options.data_dir = text("daemon_dir"), options.run_dir = text("run_dir"), options.node_name = text("node_name");
    host_ = std::make_unique<plugin::Host>(loop_.loop(), pool_, options);
    host_->offer(LOTSE_HOST_LOG, &log_.raw);
    host_->offer(LOTSE_HOST_FAULT, &kFault);
    const std::string path = text("path"), kind = text("kind");
    plugins_ = std::make_unique<plugin::Plugins>(std::vector<std::string>{path.substr(0, path.rfind('/'))});
    LOTSE_TRY(MsgValue values, MsgValue::parse(d["values"].as_text()));
    LOTSE_TRY(plugin::Owned owned, plugins_->create(*host_, kind, text("name"), values));
    owned_ = std::make_unique<plugin::Owned>(std::move(owned));
    isolation::FarEnd::Settings settings;
    settings.send = send_frame;
    settings.work = [this](std::function<void()> fn) { return pool_.submit(std::move(fn)); };
    settings.on_loop = [this](std::function<void()> fn) { loop_.loop().post(std::move(fn)); };
    end_ = std::make_shared<isolation::FarEnd>(owned_->raw(), *isolation::functions_of(kind), std::move(settings));
    return {};
  }

  LoopThread loop_{"plugin-loop"};
  WorkerPool pool_{"plugin-work", kWorkersMax, kQueueMax};
  Log log_;
  std::unique_ptr<plugin::Host> host_;
  std::unique_ptr<plugin::Plugins> plugins_;
  std::unique_ptr<plugin::Owned> owned_;
  std::shared_ptr<isolation::FarEnd> end_;
};

}  // namespace

int main() {
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(kSocket, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) {
    fprintf(stderr, "lotse-plugin-host: lotsed starts this program for plugins with isolation = \"process\"; it is of no use by itself\n");
    return 2;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  fcntl(kSocket, F_SETFD, FD_CLOEXEC);
  signal(SIGPIPE, SIG_IGN);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  pthread_setattr_default_np(&attributes);
  auto* process = new PluginProcess;  // never destroyed: the plugin may run to the last
  isolation::FrameReader reader;
  char buffer[65536];
  for (;;) {
    const ssize_t n = recv(kSocket, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(0);
    reader.feed({buffer, static_cast<size_t>(n)});
    for (Frame f; reader.next(&f);) process->receive(std::move(f));
    if (reader.broken()) _exit(1);
  }
}
