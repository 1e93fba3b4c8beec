#include "core/plugin/host.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/plugin/call.h"
#include "core/plugin/code.h"
#include "core/plugin/note.h"

using namespace lotse;
using namespace lotse::plugin;

namespace {

std::string note(std::string_view text, uint32_t major = 1, uint32_t minor = 0) {
  std::string out(8, '\0');
  std::memcpy(out.data(), &major, 4);
  std::memcpy(out.data() + 4, &minor, 4);
  return out.append(text);
}

int lines = 0;

}  // namespace

TEST_CASE("a note's lines are read, unknown ones are left to later versions") {
  auto n = parse_note(note(
      "name=lmdb\nkind=state\nkind=proxy\nversion=1.2\nthreads=3\nrequires=lotse.host.log/1\nfuture=x\nsummary=a b\n"));
  REQUIRE(n.ok());
  CHECK(n->name == "lmdb");
  CHECK(n->kinds == std::vector<std::string>{"state", "proxy"});
  CHECK(n->needs == std::vector<std::string>{"lotse.host.log/1"});
  CHECK(n->threads == 3);
  CHECK(n->summary == "a b");
}

TEST_CASE("what a note may not hold is refused") {
  auto why = [](std::string_view text) { return parse_note(text).status().message; };
  CHECK(why("abc") == "its ELF note is too short for an ABI version");
  CHECK(why(note("nonsense\n")) == "its ELF note holds a line that is no key=value");
  CHECK(why(note("name=a\x1b[31m\nkind=state\n")) == "its ELF note holds control characters");
  CHECK(why(note("name=../x\nkind=state\n")) == "its ELF note holds no proper name");
  CHECK(why(note("kind=state\n")) == "its ELF note holds no proper name");
  CHECK(why(note("name=x\n")) == "its ELF note names no kind");
  CHECK(why(note("name=x\nkind=sate\n")) == "its ELF note names the unknown kind 'sate'");
  CHECK(why(note("name=x\nkind=state\nthreads=-1\n")) == "its ELF note gives no sensible number of threads, but '-1'");
  std::string many;
  for (int i = 0; i < 100; i++) many += "a=b\n";
  CHECK(why(note(many)) == "its ELF note holds too many lines");
  CHECK(parse_note(note("whatever another major means", 2)).ok());
}

TEST_CASE("a plugin that floods the log is cut off and told about") {
  std::string dir = std::filesystem::temp_directory_path() / ("lotse-host-" + make_suffix(8));
  VirtualLoop loop;
  WorkerPool workers("test", 1, 1);
  std::string faults;
  Host host(loop, workers, {dir, "", "node-1", [&](auto& plugin, auto& id, auto& reason, auto&) {
                              faults += plugin + " " + id + " " + reason + ";";
                            }});
  int answer = 42;
  host.offer("lotse.host.answer/1", &answer);
  auto made = PluginHost::make(host, "state", "lmdb");
  REQUIRE(made.ok());
  const lotse_host* c = (*made)->raw();
  CHECK(*static_cast<const int*>(c->service(c->self, "lotse.host.answer/1")) == 42);
  CHECK(c->service(c->self, "lotse.host.none/1") == nullptr);
  auto* paths = static_cast<const lotse_host_paths*>(c->service(c->self, LOTSE_HOST_PATHS));
  CHECK(paths->data_dir == dir + "/state/lmdb");
  CHECK(std::filesystem::is_directory(paths->run_dir));
  auto* logs = static_cast<const lotse_host_log*>(c->service(c->self, LOTSE_HOST_LOG));
  lines = 0;
  log::set_observer([](std::string_view line) { lines += line.find("info  state_lmdb.tick") != std::string::npos; });
  for (int i = 0; i < 1000; i++) logs->write(logs->self, LOTSE_INFO, "tick", bytes("x"), nullptr, 0);
  log::set_observer(nullptr);
  CHECK(lines >= 100);
  CHECK(lines <= 200);  // a second may pass within the loop
  auto* fault = static_cast<const lotse_host_fault*>(c->service(c->self, LOTSE_HOST_FAULT));
  fault->raise(fault->self, "disk", "DiskFull", bytes("the disk is full"));
  fault->clear(fault->self, "disk");
  CHECK(faults == "state_lmdb disk DiskFull;state_lmdb disk ;");
  std::filesystem::remove_all(dir);
}

TEST_CASE("a call carries its deadline and cancel to the plugin") {
  lotse_call seen{};
  CallOptions options{.timeout = std::chrono::seconds(5)};
  std::string answer;
  auto keep = [](void* self, lotse_bytes, const lotse_call* call) { *static_cast<lotse_call*>(self) = *call; };
  call_message(keep, &seen, "", options, [&](Status status, Bytes payload) {
    answer = status.ok() ? std::string(payload.view()) : status.message;
  });
  int64_t left = seen.deadline_ns - Clock::system().steady().time_since_epoch().count();
  CHECK(left > 4'000'000'000);
  CHECK(left <= 5'000'000'000);
  CHECK(seen.cancelled(seen.ctx) == 0);
  options.cancel.cancel();
  CHECK(seen.cancelled(seen.ctx) != 0);
  seen.done(seen.ctx, LOTSE_CANCELLED, bytes(""));
  CHECK(answer == "cancelled");
  CHECK(seen.cancelled(seen.ctx) != 0);
  seen.done(seen.ctx, LOTSE_OK, bytes("again"));
  CHECK(answer == "cancelled");
  call_message(nullptr, nullptr, "", {}, [&](Status status, Bytes) { answer = status.message; });
  CHECK(answer == "this plugin does not offer that");
}
