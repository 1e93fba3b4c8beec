// Atomic volumes, safe paths, logs.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "core/agent/atomic_dir.h"
#include "core/agent/checkpoint.h"
#include "core/agent/log_stream.h"
#include "core/agent/safe_path.h"
#include "core/base/file.h"
#include "tests/unit/agent/story.h"

using namespace lotse;
using namespace lotse::agent;
namespace fs = std::filesystem;

namespace {

struct TempDir {
  std::string path = (fs::temp_directory_path() / "lotse-agent-XXXXXX").string();
  TempDir() { REQUIRE(mkdtemp(path.data())); }
  ~TempDir() { fs::remove_all(path); }
};

std::string slurp(const std::string& path) {
  auto text = read_file(path);
  return text.ok() ? *text : "<" + text.status().message + ">";
}

struct Sink : StreamSink {
  std::string text;
  int heads = 0;
  std::optional<Status> end;
  void on_item(uint32_t channel, Bytes item) override {
    if (channel == 1) ++heads;
    else text += item.view();
  }
  void on_end(Status status, Bytes) override { end = status; }
};

// Lets the pool's work come back to the loop.
void settle(VirtualLoop& loop, const std::function<bool()>& until) {
  for (int i = 0; i < 2000 && !until(); ++i) {
    loop.run();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  loop.run();
}

}  // namespace

TEST_CASE("a volume of files changes all at once, by one rename") {
  TempDir dir;
  auto root = dir.path + "/v";
  Payload payload{{"a", {"1", 0644, {}}}, {"sub/b", {"2", 0400, {}}}};
  CHECK(*write_atomic_dir(root, payload, std::nullopt));
  CHECK(slurp(root + "/a") == "1");
  CHECK(slurp(root + "/sub/b") == "2");
  CHECK(fs::is_symlink(root + "/a"));
  CHECK(fs::read_symlink(root + "/a") == "..data/a");
  auto before = fs::read_symlink(root + "/..data");
  CHECK_FALSE(*write_atomic_dir(root, payload, std::nullopt));
  CHECK(fs::read_symlink(root + "/..data") == before);
  payload = {{"a", {"3", 0644, {}}}};
  CHECK(*write_atomic_dir(root, payload, std::nullopt));
  CHECK(slurp(root + "/a") == "3");
  CHECK_FALSE(fs::exists(fs::symlink_status(root + "/sub")));
  CHECK_FALSE(fs::exists(root + "/" + before.string()));
  CHECK_FALSE(write_atomic_dir(root, {{"../x", {"", 0644, {}}}}, std::nullopt).ok());
}

TEST_CASE("nothing above a directory is reached, and no link is followed") {
  TempDir dir;
  fs::create_directories(dir.path + "/v/in");
  fs::create_directory_symlink("/etc", dir.path + "/v/out");
  CHECK(open_beneath(dir.path + "/v", "in", O_PATH).ok());
  CHECK_FALSE(open_beneath(dir.path + "/v", "out/passwd", O_RDONLY).ok());
  CHECK_FALSE(open_beneath(dir.path + "/v", "../..", O_PATH).ok());
  CHECK_FALSE(open_beneath(dir.path + "/v", "/etc", O_PATH).ok());
  CHECK_FALSE(make_dirs_beneath(dir.path + "/v", "out/new", 0755).ok());
  CHECK(make_dirs_beneath(dir.path + "/v", "in/x/y", 0755).ok());
  CHECK(remove_tree(dir.path + "/v").ok());
  CHECK(fs::exists("/etc/passwd"));
  CHECK_FALSE(fs::exists(dir.path + "/v"));
}

TEST_CASE("log lines: partial ones are joined, old ones dropped, the limit kept") {
  const char* raw =
      "2026-01-02T03:04:05.000000001Z stdout F one\n"
      "2026-01-02T03:04:06.000000000Z stdout P tw\n"
      "2026-01-02T03:04:06.100000000Z stdout F o\n"
      "no log line at all\n"
      "2026-01-02T03:04:07.000000000Z stderr F three\n";
  auto show = [&](LogOptions o, size_t piece) {
    LogFilter filter(o);
    std::string out;
    std::string_view rest = raw;
    while (!rest.empty()) {
      filter.add(rest.substr(0, piece), &out);
      rest.remove_prefix(std::min(piece, rest.size()));
    }
    return out;
  };
  for (size_t piece : {1, 7, 1000}) CHECK(show({}, piece) == "one\ntwo\nthree\n");
  LogOptions o;
  o.timestamps = true;
  CHECK(show(o, 5) == "2026-01-02T03:04:05.000000001Z one\n2026-01-02T03:04:06.000000000Z two\n2026-01-02T03:04:07.000000000Z three\n");
  o = {};
  o.since = *parse_time("2026-01-02T03:04:06.5Z");
  CHECK(show(o, 9) == "three\n");
  o = {};
  o.limit_bytes = 6;
  CHECK(show(o, 9) == "one\ntw");
}

TEST_CASE("tail finds its place from the end") {
  TempDir dir;
  auto path = dir.path + "/log";
  REQUIRE(write_file_atomically(path, "1\n22\n333\n").ok());
  Fd fd(open(path.c_str(), O_RDONLY));
  int64_t missing = 0;
  CHECK(*tail_offset(fd.get(), 9, 1, &missing) == 5);
  CHECK(*tail_offset(fd.get(), 9, 2, &missing) == 2);
  CHECK(*tail_offset(fd.get(), 9, 3, &missing) == 0);
  CHECK(missing == 0);
  CHECK(*tail_offset(fd.get(), 9, 5, &missing) == 0);
  CHECK(missing == 2);
  CHECK(*tail_offset(fd.get(), 9, 0, &missing) == 9);
}

TEST_CASE("a log stream follows across a rotation and ends with the container") {
  TempDir dir;
  fs::create_directories(dir.path + "/app");
  auto log = dir.path + "/app/0.log";
  auto line = [](const char* text) { return std::string("2026-01-02T03:04:05Z stdout F ") + text + "\n"; };
  REQUIRE(write_file_atomically(log, line("one") + line("two")).ok());
  VirtualLoop loop;
  WorkerPool pool("t", 1, 16);
  auto sink = std::make_shared<Sink>();
  bool running = true;
  LogOptions o;
  o.root = dir.path;
  o.container = "app";
  o.follow = true;
  o.tail_lines = 1;
  auto stream = std::make_shared<LogStream>(loop, pool, o, sink, [&] { return running; });
  stream->start();
  auto handle = LogStream::handle(stream);
  handle->grant(1024);
  settle(loop, [&] { return sink->text == "two\n"; });
  CHECK(sink->text == "two\n");
  CHECK(sink->heads == 1);
  fs::rename(log, log + ".1");
  REQUIRE(write_file_atomically(log, line("three")).ok());
  settle(loop, [&] { return sink->text == "two\nthree\n"; });
  CHECK(sink->text == "two\nthree\n");
  CHECK_FALSE(sink->end);
  running = false;
  stream->kick();
  settle(loop, [&] { return sink->end.has_value(); });
  REQUIRE(sink->end);
  CHECK(sink->end->ok());
}

TEST_CASE("a log stream gives nothing without credit and refuses links") {
  TempDir dir;
  fs::create_directories(dir.path + "/app");
  VirtualLoop loop;
  WorkerPool pool("t", 1, 16);
  auto sink = std::make_shared<Sink>();
  LogOptions o;
  o.root = dir.path;
  o.container = "app";
  SECTION("no credit") {
    REQUIRE(write_file_atomically(dir.path + "/app/0.log", "2026-01-02T03:04:05Z stdout F x\n").ok());
    auto stream = std::make_shared<LogStream>(loop, pool, o, sink, [] { return false; });
    stream->start();
    settle(loop, [&] { return sink->heads == 1; });
    CHECK(sink->text.empty());
    CHECK_FALSE(sink->end);
    stream->grant(1);
    settle(loop, [&] { return !sink->text.empty(); });
    CHECK(sink->text == "x\n");
    stream->cancel();
    loop.run();
    CHECK(sink->end);
  }
  SECTION("a link instead of a log") {
    fs::create_symlink("/etc/passwd", dir.path + "/app/0.log");
    auto stream = std::make_shared<LogStream>(loop, pool, o, sink, [] { return false; });
    stream->start();
    stream->grant(1024);
    settle(loop, [&] { return sink->end.has_value(); });
    REQUIRE(sink->end);
    CHECK_FALSE(sink->end->ok());
    CHECK(sink->text.empty());
  }
}

TEST_CASE("logs that grew are moved aside, and only so many are kept") {
  TempDir dir;
  PodDirs dirs{dir.path, dir.path + "/logs"};
  fs::create_directories(dirs.logs + "/app");
  for (int i = 0; i < 6; ++i) {
    REQUIRE(write_file_atomically(dirs.logs + "/app/0.log", std::string(100, 'x')).ok());
    CHECK(rotate_log(dirs, "app", 0, 50, 3, WallTime(std::chrono::seconds(1767225600 + i))));
  }
  size_t files = 0;
  for (const auto& e : fs::directory_iterator(dirs.logs + "/app")) files += e.is_regular_file();
  CHECK(files == 2);  // and the one that the container now opens
  REQUIRE(write_file_atomically(dirs.logs + "/app/0.log", "x").ok());
  CHECK_FALSE(rotate_log(dirs, "app", 0, 50, 3, WallTime{}));
  CHECK_FALSE(rotate_log(dirs, "app", 1, 50, 3, WallTime{}));
}

TEST_CASE("the termination message, or the end of the log") {
  TempDir dir;
  PodDirs dirs{dir.path + "/pod", dir.path + "/logs"};
  REQUIRE(prepare_container_files(dirs, "app", 0).ok());
  CHECK(termination_message(dirs, "app", 0, false).empty());
  REQUIRE(write_file_atomically(dirs.log_of("app", 0), "2026-01-02T03:04:05Z stderr F it broke\n", 0600).ok());
  CHECK(termination_message(dirs, "app", 0, true) == "it broke\n");
  { Fd fd(open(dirs.termination_log("app", 0).c_str(), O_WRONLY)); REQUIRE(write(fd.get(), "done", 4) == 4); }
  CHECK(termination_message(dirs, "app", 0, true) == "done");
}

TEST_CASE("a checkpoint comes back as it was written, and a damaged one is none") {
  auto pod = object("apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: n, uid: u}", 42);
  auto back = Checkpoint::decode(Checkpoint::encode({pod}));
  REQUIRE(back.ok());
  REQUIRE(back->size() == 1);
  CHECK(back->front()->revision() == 42);
  CHECK(back->front()->header().uid == "u");
  CHECK_FALSE(Checkpoint::decode("rubbish").ok());

  TempDir dir;
  VirtualLoop loop;
  WorkerPool pool("t", 1, 16);
  {
    Checkpoint c(dir.path, "key", loop, pool);
    CHECK(c.read("pods").empty());
    c.write_soon("pods", [&] { return std::vector<ObjectPtr>{pod}; });
    loop.advance(std::chrono::seconds(1));
    settle(loop, [&] { return fs::exists(dir.path + "/checkpoint-pods"); });
    REQUIRE(c.read("pods").size() == 1);
  }
  auto raw = slurp(dir.path + "/checkpoint-pods");
  CHECK(raw.find("metadata") == std::string::npos);  // sealed
  struct stat st {};
  REQUIRE(stat((dir.path + "/checkpoint-pods").c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
  Checkpoint other(dir.path, "another key", loop, pool);
  CHECK(other.read("pods").empty());
}

TEST_CASE("cgroups on v2, in files that stand for the kernel's") {
  TempDir dir;
  auto make = [&](const std::string& file) { REQUIRE(write_file_atomically(dir.path + file, "", 0644).ok()); };
  make("/cgroup.controllers");
  for (const char* group : {"/kubepods", "/kubepods/burstable", "/kubepods/besteffort", "/kubepods/burstable/podu1"}) {
    REQUIRE(make_dirs(dir.path + group, 0755).ok());
    for (const char* file : {"/cpu.weight", "/cpu.max", "/memory.max", "/memory.oom.group"}) make(std::string(group) + file);
  }
  auto text = [&](const std::string& file) { return *read_file(dir.path + file, 100); };
  auto groups = Cgroups::open(dir.path, "kubepods");
  REQUIRE(groups.ok());
  REQUIRE(groups->set_up(2000, 1 << 30).ok());
  CHECK(text("/kubepods/memory.max") == "1073741824");
  CHECK(text("/kubepods/cpu.weight") == "79");
  CHECK(text("/kubepods/besteffort/cpu.weight") == "1");
  REQUIRE(groups->make_pod(Qos::kBurstable, "u1", {250, 1000, 0, 1 << 20}).ok());
  CHECK(text("/kubepods/burstable/podu1/cpu.max") == "100000 100000");
  CHECK(text("/kubepods/burstable/podu1/memory.max") == "1048576");
  REQUIRE(groups->weigh_burstable(250).ok());
  CHECK(text("/kubepods/burstable/cpu.weight") == text("/kubepods/burstable/podu1/cpu.weight"));
  CHECK(groups->container_files() == std::map<std::string, std::string>{{"memory.oom.group", "1"}});  // no swap accounting here
  CHECK(groups->pods() == std::vector<std::pair<Qos, std::string>>{{Qos::kBurstable, "u1"}});
}
