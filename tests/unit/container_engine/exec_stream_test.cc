#include "plugins/container_engine/exec_stream.h"

#include <catch2/catch.hpp>
#include <condition_variable>

#include "unit/sdk/fake_host.h"

using namespace lotse::container_engine;
namespace sdk = lotse::sdk;

namespace {

struct Engine : EngineCore {
  explicit Engine(const sdk::Host& host) : EngineCore(host, "engine") { reactor.start(); }
  ~Engine() override { stop_core([] {}, [] {}); }
  Co<Done> ready(int64_t) override { co_return Done{}; }
};

// Reads once, finds three outputs in what it read, and the end behind them.
struct ReadsAtOnce : ExecSession {
  std::weak_ptr<ExecTaker> taker;
  bool begun = false;
  void read() {
    auto t = taker.lock();
    if (begun || !t || !t->has_room()) return;
    begun = true;
    for (const char* piece : {"one ", "two ", "three"}) t->output(LOTSE_STDOUT, piece);
    t->ended(std::optional<int>(7));
  }
  void start(int64_t) override { read(); }
  void room_again() override { read(); }
  void write(std::string_view) override {}
  void close_stdin() override {}
  void resize(uint32_t, uint32_t) override {}
  void signal(int) override {}
  void kill() override {
    if (auto t = taker.lock()) t->ended(lotse::container_engine::Failure{LOTSE_CANCELLED, "cancelled"});
  }
};

struct Opener {
  std::mutex mutex;
  std::condition_variable changed;
  std::string text, end;
  bool ended = false;
  lotse_stream stream{};
  lotse_stream_sink sink() {
    return {sizeof(lotse_stream_sink), 0, this,
            [](void* self, uint32_t, lotse_bytes item) {
              auto* o = static_cast<Opener*>(self);
              std::lock_guard lock(o->mutex);
              o->text += sdk::view(item);
              o->changed.notify_all();
            },
            nullptr,
            [](void* self, int32_t, lotse_bytes payload) {
              auto* o = static_cast<Opener*>(self);
              std::lock_guard lock(o->mutex);
              o->end = sdk::view(payload);
              o->ended = true;
              o->changed.notify_all();
            }};
  }
  template <class Test>
  bool until(Test test) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(10), test);
  }
};

}  // namespace

TEST_CASE("what was read at once is not lost when its first part takes all credit, and the end waits for the rest") {
  FakeHost host;
  Engine engine(host.host());
  Opener opener;
  ExecRequest request;
  request.out = true;
  open_exec(engine, request, [](ExecRequest, std::weak_ptr<ExecTaker> taker) {
    auto session = std::make_shared<ReadsAtOnce>();
    session->taker = std::move(taker);
    return session;
  })->attach(opener.sink(), &opener.stream);
  opener.stream.grant(opener.stream.self, 1);
  REQUIRE(opener.until([&] { return opener.text == "one "; }));
  engine.reactor.run([] {});  // whatever else it had to do is done
  CHECK_FALSE(opener.ended);
  SECTION("credit brings the rest") {
    opener.stream.grant(opener.stream.self, 1000);
    REQUIRE(opener.until([&] { return opener.ended; }));
    CHECK(opener.text == "one two three");
    CHECK(sdk::Msg::parse(opener.end)["exit_code"].as_int() == 7);
  }
  SECTION("whoever cancels waits for nothing more") {
    opener.stream.cancel(opener.stream.self);
    REQUIRE(opener.until([&] { return opener.ended; }));
  }
  opener.stream.release(opener.stream.self);
}
