// Plugins in a process of their own: what one of them does stays there, is said, and passes.
#include <signal.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>

#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/plugin/plugins.h"

using namespace lotse;
using namespace lotse::plugin;
using namespace std::chrono_literals;

namespace {

std::atomic<int> lines_seen;

struct Isolated {
  std::string dir = std::filesystem::temp_directory_path() / ("lotse-bad-" + make_suffix(8));
  std::mutex mutex;
  std::map<std::string, std::string> faults;  // id -> reason
  std::vector<std::string> raised;            // reasons, in order
  VirtualLoop loop;
  WorkerPool workers{"test", 1, 10};
  Host host{loop, workers, {dir, "", "node-1", [this](const std::string&, const std::string& id, const std::string& reason, const std::string& message) {
              std::lock_guard lock(mutex);
              said = message;
              if (reason.empty()) faults.erase(id);
              else faults[id] = reason, raised.push_back(reason);
            }}};
  std::string said;
  Plugins plugins{{BAD_DIR "/misbehaves"}};
  std::unique_ptr<RuntimePlugin> runtime;

  explicit Isolated(Isolation how = {true, 0, 500ms}) {
    auto made = plugins.create_apart(host, "runtime", "misbehaves", how, MsgValue::map());
    INFO(made.status().message);
    REQUIRE(made.ok());
    runtime = std::make_unique<RuntimePlugin>(*std::move(made));
  }
  ~Isolated() {
    runtime.reset();
    std::filesystem::remove_all(dir);
  }
  Result<MsgValue> ask(const std::string& what, Duration timeout = 20s) {
    CallOptions options;
    options.timeout = timeout;
    return runtime->call_and_wait(&lotse_runtime::info, MsgValue::map({{"do", what}}), options);
  }
  int64_t pid() {
    auto info = ask("");
    return info.ok() ? (*info)["pid"].as_int() : 0;
  }
  std::string fault(const std::string& id) {
    std::lock_guard lock(mutex);
    auto found = faults.find(id);
    return found == faults.end() ? "" : found->second;
  }
  bool was_raised(const std::string& reason) {
    std::lock_guard lock(mutex);
    return std::count(raised.begin(), raised.end(), reason) > 0;
  }
  // Unavailable for a while, then there again and nothing is wrong any more.
  void comes_back(int64_t old_pid, const std::string& reason) {
    CHECK(ask("").status().reason == Reason::kServiceUnavailable);
    CHECK(fault("process") == reason);
    for (int i = 0; i < 500 && pid() == 0; ++i) std::this_thread::sleep_for(20ms);
    CHECK(pid() != 0);
    CHECK(pid() != old_pid);
    CHECK(fault("process") == "");
  }
};

struct Heard : StreamSink {
  void on_item(uint32_t channel, Bytes item) override {
    std::lock_guard lock(mutex);
    (channel == 1 ? text : other) += item.view();
    came.notify_all();
  }
  void on_end(Status s, Bytes r) override {
    std::lock_guard lock(mutex);
    ended = true, status = s, result = r;
    came.notify_all();
  }
  template <class Fn>
  bool until(Fn fn) {
    std::unique_lock lock(mutex);
    return came.wait_for(lock, 20s, fn);
  }
  std::mutex mutex;
  std::condition_variable came;
  std::string text, other;
  bool ended = false;
  Status status;
  Bytes result;
};

}  // namespace

TEST_CASE("a plugin in a process of its own answers as one in ours") {
  Isolated it;
  const int64_t pid = it.pid();
  CHECK(pid > 0);
  CHECK(pid != getpid());
  CHECK(it.runtime->call_and_wait(&lotse_runtime::image_list, MsgValue::map(), {}).status().message == "this runtime offers no image_list");
  CHECK(it.ask("fault").ok());
  CHECK(it.fault("disk") == "DiskOdd");
  auto heard = std::make_shared<Heard>();
  auto stream = it.runtime->open(&lotse_runtime::exec, "", heard);
  REQUIRE(stream.ok());
  (*stream)->grant(1 << 20);
  const std::string text(200'000, 'x');
  CHECK((*stream)->write(0, Bytes(text)));
  CHECK(heard->until([&] { return heard->text.size() == text.size(); }));
  (*stream)->half_close(0);
  CHECK(heard->until([&] { return heard->ended; }));
  CHECK(heard->status.ok());
  CHECK(MsgValue::parse(heard->result.view())->operator[]("exit_code").as_int(-1) == 0);
}

TEST_CASE("one that refuses to be created says why, as in our process") {
  Isolated it;
  auto made = it.plugins.create_apart(it.host, "runtime", "misbehaves", {true, 0, 1s}, MsgValue::map({{"refuse", "yes"}}));
  CHECK(made.status().message == "runtime plugin 'misbehaves': runtime plugin 'misbehaves': it was told to refuse");
}

TEST_CASE("one that crashes takes its calls and streams with it, and nothing else") {
  Isolated it;
  const int64_t pid = it.pid();
  auto heard = std::make_shared<Heard>();
  auto stream = it.runtime->open(&lotse_runtime::exec, "", heard);
  REQUIRE(stream.ok());
  CHECK(it.ask("fault").ok());
  auto answer = it.ask("crash");
  CHECK(answer.status().reason == Reason::kServiceUnavailable);
  CHECK(answer.status().message == "the runtime plugin 'misbehaves' runs in a process of its own, which was killed by signal 11 "
                                   "(Segmentation fault); it is started again soon");
  CHECK(heard->until([&] { return heard->ended; }));
  CHECK(heard->status.reason == Reason::kServiceUnavailable);
  CHECK(it.fault("disk") == "");  // what the old process complained of is to be seen anew
  CHECK(it.runtime->open(&lotse_runtime::exec, "", std::make_shared<Heard>()).status().reason == Reason::kServiceUnavailable);
  it.comes_back(pid, "PluginCrashed");
}

TEST_CASE("one that never answers is ended after its deadline") {
  Isolated it;
  const int64_t pid = it.pid();
  auto answer = it.ask("hang", 200ms);
  CHECK(answer.status().reason == Reason::kServiceUnavailable);
  CHECK(answer.status().message.find("hangs: it gave no answer to a call in time") != std::string::npos);
  it.comes_back(pid, "PluginHung");
}

TEST_CASE("one whose loop is stuck is found out by who calls it") {
  Isolated it;
  const int64_t pid = it.pid();
  std::this_thread::sleep_for(300ms);  // the next call brings a ping along
  CHECK(it.ask("block").ok());
  for (int i = 0; i < 500 && !it.was_raised("PluginHung"); ++i) std::this_thread::sleep_for(20ms), (void)it.pid();
  CHECK(it.said.find("its loop answers no more") != std::string::npos);
  it.comes_back(pid, "PluginHung");
}

TEST_CASE("one that leaks is ended at its limit") {
  Isolated it({true, 128 << 20, 10s});
  const int64_t pid = it.pid();
  CHECK(it.ask("leak").status().reason == Reason::kServiceUnavailable);
  it.comes_back(pid, "PluginOutOfMemory");
}

TEST_CASE("a flood of its log is dropped, and said") {
  Isolated it;
  lines_seen = 0;
  log::set_observer([](std::string_view line) { lines_seen += line.find("runtime_misbehaves.line") != std::string::npos; });
  const int64_t pid = it.pid();
  CHECK(it.ask("flood").ok());
  CHECK(lines_seen >= 100);
  CHECK(lines_seen < 1000);
  CHECK(it.fault("log") == "PluginLogFlood");
  lines_seen = 0;
  log::set_observer([](std::string_view line) { lines_seen += line.find("a line that nobody needs") != std::string::npos; });
  CHECK(it.ask("print").ok());
  CHECK(lines_seen < 1000);
  log::set_observer(nullptr);
  CHECK(it.pid() == pid);
}

TEST_CASE("its process ends with ours, however ours ends") {
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    auto* it = new Isolated;
    const int64_t pid = it->pid();
    (void)!write(pipe_ends[1], &pid, sizeof pid);
    raise(SIGKILL);
  }
  int64_t pid = 0;
  REQUIRE(read(pipe_ends[0], &pid, sizeof pid) == sizeof pid);
  waitpid(child, nullptr, 0);
  close(pipe_ends[0]), close(pipe_ends[1]);
  auto there = [&] {  // a zombie whose new parent has not looked yet is none
    std::error_code none;
    return std::filesystem::exists("/proc/" + std::to_string(pid) + "/exe", none) && !none;
  };
  for (int i = 0; i < 500 && there(); ++i) std::this_thread::sleep_for(10ms);
  CHECK_FALSE(there());
}

TEST_CASE("isolation is a key of the host in the sections of runtime and proxy") {
  Isolated it;
  auto check = [&](const std::string& toml) {
    config::Complaints complaints("lotse.toml");
    config::Config config = config::parse_config("[components]\nruntime = \"misbehaves\"\n[plugins.runtime.misbehaves]\n" + toml, "lotse.toml", &complaints);
    auto keys = it.plugins.section("runtime", "misbehaves")->keys;
    config::check_plugin(config, "runtime", "misbehaves", keys, &complaints);
    return complaints.text();
  };
  CHECK(check("isolation = \"process\"\nisolation_memory = \"64MiB\"\n") == "");
  CHECK(check("isolation = \"thread\"\n").find("lotse.toml:4:13") != std::string::npos);
  config::Complaints none;
  config::Config config = config::parse_config("[components]\nruntime = \"misbehaves\"\n[plugins.runtime.misbehaves]\nisolation = \"process\"\n", "lotse.toml", &none);
  auto runtime = it.plugins.create_runtime(it.host, config);
  REQUIRE(runtime.ok());
  CHECK((*(*runtime)->call_and_wait(&lotse_runtime::info, MsgValue::map(), {}))["pid"].as_int() != getpid());
}
