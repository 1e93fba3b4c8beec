#include <catch2/catch.hpp>

#include "lotse/plugin.hpp"
#include "lotse/proxy.hpp"
#include "lotse/runtime.hpp"
#include "lotse/scheduler.hpp"
#include "lotse/state.hpp"
#include "lotse/transport.hpp"
#include "tests/unit/sdk/fake_host.h"

using namespace lotse::sdk;

namespace {

struct Answer {
  lotse_call call{sizeof(lotse_call), 0, 0, this, done, nullptr};
  int times = 0;
  int32_t code = -1;
  std::string payload;
  static void done(void* ctx, int32_t code, lotse_bytes payload) {
    auto* self = static_cast<Answer*>(ctx);
    self->times++;
    self->code = code;
    self->payload = view(payload);
  }
};

struct Echo : Runtime {
  Echo(const Host& host, const Config& config) : Runtime(host) {
    if (config.text("mode") == "broken") throw Failure(LOTSE_UNAVAILABLE, "the echo is broken");
  }
  static std::vector<lotse_key> keys() {
    return {Key::text("mode", "how").choices("good|broken").fallback("good"),
            Key::integer("n", "how many").range(1, 9)};
  }
  void info(const Msg& request, Call call) override { call.done(Msg::map({{"got", request["x"]}})); }
  void sandbox_run(const Msg&, Call) override { throw std::runtime_error("ouch"); }
  void sandbox_stop(const Msg&, Call) override { throw 42; }
  void sandbox_remove(const Msg&, Call) override {}  // drops the call
  ProducerPtr exec(const Msg&) override { throw Failure(LOTSE_NOT_FOUND, "no such container"); }
};

struct Policy : Scheduler {
  using Scheduler::Scheduler;
  void node_set(const lotse_sched_node&) override { throw std::runtime_error("node"); }
  void node_remove(std::string_view) override {}
  void pod_set(const lotse_sched_pod&) override {}
  void pod_remove(std::string_view) override {}
  void schedule(const lotse_sched_pod* const*, size_t, uint64_t, Answers* answers) override {
    answers->assign(1, "node-1");
    answers->assign(1, "node-2");
    throw std::runtime_error("ouch");
  }
};

struct Store : State {
  explicit Store(const Host& host) : State(host, {.watch = true, .backup = false}) {}
  void commit(const lotse_state_op*, size_t, CommitDone) override { throw std::runtime_error("ouch"); }
  void range(const lotse_state_range&, const std::function<bool(const lotse_state_entry&)>& on_entry,
             lotse_state_range_result* result) override {
    lotse_state_entry entry{sizeof(lotse_state_entry), 0, bytes("k"), bytes("v"), 7};
    while (on_entry(entry)) {
    }
    result->revision = 7;
  }
  void info(lotse_state_info*) override { throw Failure(LOTSE_UNAVAILABLE, std::string(1000, 'x')); }
  void compact(uint64_t) override {}
};

}  // namespace

TEST_CASE("a factory makes instances, and tells in a sentence why it cannot") {
  FakeHost host;
  const lotse_factory* factory = Door<Echo>::factory(LOTSE_FACTORY_RUNTIME, "echo");
  REQUIRE(factory->key_count == 2);
  CHECK(std::string(factory->keys[0].choices) == "good|broken");
  CHECK(factory->keys[1].maximum == 9);
  lotse_error error{sizeof(lotse_error), 0, ""};
  CHECK(factory->create(&host.raw, bytes(Msg::map({{"mode", "broken"}}).encode()), &error) == nullptr);
  CHECK(error.code == LOTSE_UNAVAILABLE);
  CHECK(std::string(error.message) == "the echo is broken");
  CHECK(factory->create(&host.raw, bytes("\xc1"), &error) == nullptr);
  CHECK(error.code == LOTSE_INVALID);
  const lotse_instance* made = factory->create(&host.raw, bytes(""), &error);
  REQUIRE(made != nullptr);
  CHECK(made->size == sizeof(lotse_runtime));
  CHECK(made->extension(made->self, "lotse.any/1") == nullptr);
  CHECK(made->reconfigure(made->self, bytes(""), &error) == LOTSE_UNSUPPORTED);
  made->destroy(made->self);
}

TEST_CASE("a message is answered exactly once, whatever the plugin does") {
  FakeHost host;
  lotse_error error{sizeof(lotse_error), 0, ""};
  auto* runtime = reinterpret_cast<const lotse_runtime*>(
      Door<Echo>::factory(LOTSE_FACTORY_RUNTIME, "echo")->create(&host.raw, bytes(""), &error));
  void* self = runtime->base.self;
  Answer a, b, c, d, e, f;
  runtime->info(self, bytes(Msg::map({{"x", 5}}).encode()), &a.call);
  CHECK(Msg::parse(a.payload)["got"].as_int() == 5);
  runtime->sandbox_run(self, bytes(""), &b.call);
  CHECK(b.code == LOTSE_INTERNAL);
  CHECK(b.payload == "an exception came out of sandbox_run: ouch");
  runtime->sandbox_stop(self, bytes(""), &c.call);
  CHECK(c.payload == "an exception of an unknown kind came out of sandbox_stop");
  runtime->sandbox_remove(self, bytes(""), &d.call);
  CHECK(d.payload == "the plugin gave no answer");
  runtime->image_list(self, bytes(""), &e.call);
  CHECK(e.code == LOTSE_UNSUPPORTED);
  CHECK(e.payload == "this runtime offers no image_list");
  runtime->info(self, bytes("\xc1"), &f.call);
  CHECK(f.code == LOTSE_INVALID);
  for (Answer* answer : {&a, &b, &c, &d, &e, &f}) CHECK(answer->times == 1);
  lotse_stream stream;
  lotse_stream_sink sink{};
  CHECK(runtime->exec(self, bytes(""), &sink, &stream, &error) == LOTSE_NOT_FOUND);
  CHECK(runtime->attach(self, bytes(""), &sink, &stream, &error) == LOTSE_UNSUPPORTED);
  CHECK(std::string(error.message) == "this plugin offers no attach");
  runtime->base.destroy(self);
}

TEST_CASE("every pod gets one answer from a scheduler that throws") {
  FakeHost host;
  auto* policy = new Policy(host.host());
  auto* c = reinterpret_cast<const lotse_scheduler*>(policy->c_instance());
  lotse_sched_node node{};
  c->node_set(c->base.self, &node);
  CHECK(host.lines == std::vector<std::string>{"exception an exception came out of node_set: node"});
  std::string heard;
  lotse_sched_answers answers{};
  answers.ctx = &heard;
  answers.assign = [](void* ctx, size_t pod, lotse_bytes name) {
    *static_cast<std::string*>(ctx) += std::to_string(pod) + "=" + std::string(view(name)) + ";";
  };
  answers.refuse = [](void* ctx, size_t pod, const lotse_sched_reason* reasons, size_t) {
    *static_cast<std::string*>(ctx) += std::to_string(pod) + "!" + std::string(view(reasons[0].reason)) + ";";
  };
  c->schedule(c->base.self, nullptr, 2, 0, &answers);
  CHECK(heard == "1=node-1;0!an exception came out of schedule: ouch;");
  c->base.destroy(c->base.self);
}

TEST_CASE("a state backend that throws leaves outcomes unknown and errors in sentences that fit") {
  FakeHost host;
  auto* store = new Store(host.host());
  auto* c = reinterpret_cast<const lotse_state*>(store->c_instance());
  std::vector<int32_t> codes;
  c->commit(
      c->base.self, nullptr, 3,
      [](void* ctx, const lotse_state_outcome* outcomes, size_t count) {
        for (size_t i = 0; i < count; i++) static_cast<std::vector<int32_t>*>(ctx)->push_back(outcomes[i].code);
      },
      &codes);
  CHECK(codes == std::vector<int32_t>(3, LOTSE_UNKNOWN));
  int entries = 0;
  lotse_state_range range{};
  lotse_state_range_result result{};
  lotse_error error{sizeof(lotse_error), 0, ""};
  CHECK(c->range(
            c->base.self, &range,
            [](void* ctx, const lotse_state_entry*) { return int32_t(++*static_cast<int*>(ctx) < 3); }, &entries,
            &result, &error) == LOTSE_OK);
  CHECK(entries == 3);
  CHECK(result.revision == 7);
  lotse_state_info info{};
  CHECK(c->info(c->base.self, &info, &error) == LOTSE_UNAVAILABLE);
  CHECK(std::string(error.message).size() == sizeof error.message - 1);
  CHECK(c->base.extension(c->base.self, LOTSE_STATE_WATCH) != nullptr);
  CHECK(c->base.extension(c->base.self, LOTSE_STATE_BACKUP) == nullptr);
  c->base.destroy(c->base.self);
}

TEST_CASE("timers and posts of the host are safe to drop") {
  FakeHost fake;
  Host host = fake.host();
  int fired = 0;
  {
    auto dropped = host.after(std::chrono::seconds(1), [&] { fired += 100; });
    auto kept = host.after(std::chrono::seconds(1), [&] { fired++; });
    dropped.stop();
    fake.fire_timers();
    CHECK(fired == 1);
  }
  Host::Timer self;
  self = host.after(std::chrono::seconds(1), [&] {
    self.stop();
    fired++;
  });
  fake.fire_timers();
  CHECK(fired == 2);
  host.post([] { throw std::runtime_error("ouch"); });
  fake.run();
  CHECK(fake.lines == std::vector<std::string>{"exception an exception came out of a callback: ouch"});
  CHECK_FALSE(host.work([] {}));
  host.info("started", "it has begun", {{"n", 5}, {"yes", true}});
  CHECK(fake.lines.back() == "started it has begun n=5 yes=true");
  CHECK_THROWS_WITH(host.api(),
                    "this plugin needs the host service lotse.host.api/1, which lotse 9.9.9 does not offer here");
}
