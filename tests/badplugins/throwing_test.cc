#include <catch2/catch.hpp>
#include <filesystem>

#include "core/base/ids.h"
#include "core/plugin/code.h"
#include "core/plugin/plugins.h"

using namespace lotse;
using namespace lotse::plugin;

namespace {

struct House {
  std::string dir = std::filesystem::temp_directory_path() / ("lotse-bad-" + make_suffix(8));
  VirtualLoop loop;
  WorkerPool workers{"test", 1, 10};
  Host host{loop, workers, {dir, "", "node-1", nullptr}};
  ~House() { std::filesystem::remove_all(dir); }
  Owned make(const std::string& kind, const std::string& which, const std::string& name) {
    plugins = std::make_unique<Plugins>(std::vector<std::string>{std::string(BAD_DIR) + "/" + which});
    auto made = plugins->create(host, kind, name, MsgValue::map());
    INFO(made.status().message);
    REQUIRE(made.ok());
    return *std::move(made);
  }
  std::unique_ptr<Plugins> plugins;
};

struct Heard : StreamSink {
  void on_item(uint32_t, Bytes) override { items++; }
  void on_end(Status s, Bytes) override { ends++, status = s; }
  int items = 0, ends = 0;
  Status status;
};

int lines_seen = 0;

}  // namespace

TEST_CASE("a proxy without the wrapper that throws is answered for") {
  House house;
  ProxyPlugin proxy(house.make("proxy", "calls_throw", "x"));
  auto answer = proxy.call_and_wait(&lotse_proxy::info, MsgValue::map(), {});
  CHECK(answer.status().message == "an exception came out of its function that was called: ouch");
  CHECK(proxy.owned().reconfigure(MsgValue::map()).message ==
        "an exception of an unknown kind came out of its function reconfigure");
  CHECK(proxy.owned().extension<void>("lotse.any/1") == nullptr);
}  // and its destroy throws, too

TEST_CASE("a second answer to a call is ignored and logged") {
  House house;
  ProxyPlugin proxy(house.make("proxy", "answers_twice", "x"));
  int answers = 0;
  lines_seen = 0;
  log::set_observer(
      [](std::string_view line) { lines_seen += line.find("plugin.call.answered_twice") != std::string::npos; });
  proxy.call(&lotse_proxy::info, "", {}, [&](Status status, Bytes) {
    CHECK(status.ok());
    answers++;
  });
  log::set_observer(nullptr);
  CHECK(answers == 1);
  CHECK(lines_seen == 1);
}

TEST_CASE("a state backend that throws fails in sentences") {
  House house;
  StatePlugin state(house.make("state", "throws_state", "throws"));
  lotse_error error = make_error();
  lotse_state_range range{};
  lotse_state_range_result result{};
  CHECK(state.c()->range(state.self(), &range, nullptr, nullptr, &result, &error) == LOTSE_INTERNAL);
  CHECK(std::string(error.message) == "an exception came out of range: ouch");
  lotse_state_info info{};
  CHECK(state.c()->info(state.self(), &info, &error) == LOTSE_INTERNAL);
  CHECK(state.c()->compact(state.self(), 1, &error) == LOTSE_INTERNAL);
  int32_t code = -1;
  state.c()->commit(
      state.self(), nullptr, 1,
      [](void* ctx, const lotse_state_outcome* outcomes, size_t) { *static_cast<int32_t*>(ctx) = outcomes[0].code; },
      &code);
  CHECK(code == LOTSE_UNKNOWN);
  REQUIRE(state.watch());
  REQUIRE(state.backup());
  CHECK(state.backup()->write(state.self(), -1, &error) == LOTSE_INTERNAL);
  CHECK(state.backup()->read(state.self(), -1, 0, &error) == LOTSE_INTERNAL);
  auto heard = std::make_shared<Heard>();
  auto opened =
      open_stream([&](const lotse_stream_sink* sink, lotse_stream* stream,
                      lotse_error* e) { return state.watch()->open(state.self(), {}, {}, 0, sink, stream, e); },
                  heard);
  CHECK(opened.status().message == "an exception came out of watch: ouch");
  CHECK(heard->ends == 0);
  CHECK(state.owned().reconfigure(MsgValue::map()).message == "an exception came out of reconfigure: ouch");
}

TEST_CASE("a scheduler policy that throws refuses every pod in a sentence") {
  House house;
  SchedulerPlugin policy(house.make("scheduler", "throws_scheduler", "throws"));
  lotse_sched_node node{};
  lotse_sched_pod pod{};
  policy.c()->node_set(policy.self(), &node);
  policy.c()->node_remove(policy.self(), {});
  policy.c()->pod_set(policy.self(), &pod);
  policy.c()->pod_remove(policy.self(), {});
  std::vector<std::string> refused;
  lotse_sched_answers answers{sizeof answers, 0, &refused, nullptr, nullptr, nullptr};
  answers.refuse = [](void* ctx, size_t, const lotse_sched_reason* reasons, size_t) {
    static_cast<std::vector<std::string>*>(ctx)->emplace_back(view(reasons[0].reason));
  };
  const lotse_sched_pod* pods[] = {&pod, &pod};
  policy.c()->schedule(policy.self(), pods, 2, 0, &answers);
  CHECK(refused == std::vector<std::string>(2, "an exception came out of schedule: ouch"));
}

TEST_CASE("a runtime that throws fails every call, and a stream that throws ends once") {
  House house;
  RuntimePlugin runtime(house.make("runtime", "throws_runtime", "throws"));
  CHECK(runtime.call_and_wait(&lotse_runtime::info, MsgValue::map(), {}).status().message ==
        "an exception came out of info: ouch");
  auto removed = runtime.call_and_wait(&lotse_runtime::image_remove, MsgValue::map(), {}).status();
  CHECK(removed.reason == Reason::kNotFound);
  CHECK(removed.message == "image_remove: ouch");
  auto heard = std::make_shared<Heard>();
  CHECK(runtime.open(&lotse_runtime::exec, "", heard).status().message == "an exception came out of exec: ouch");
  CHECK(runtime.open(&lotse_runtime::attach, "", heard).status().message == "this plugin offers no attach");
  auto events = runtime.open(&lotse_runtime::events, "", heard);
  REQUIRE(events.ok());
  (*events)->grant(1);
  house.loop.run();
  CHECK(heard->ends == 1);
  CHECK(heard->status.message == "an exception came out of on_credit: ouch");
  (*events)->grant(1);
  (*events)->cancel();
  house.loop.run();
  CHECK(heard->ends == 1);
}

TEST_CASE("a proxy and a transport that throw fail in sentences") {
  House house;
  {
    ProxyPlugin proxy(house.make("proxy", "throws_proxy", "throws"));
    CHECK(proxy.call_and_wait(&lotse_proxy::resync, MsgValue::map(), {}).status().message ==
          "an exception came out of resync: ouch");
    CHECK(proxy.call_and_wait(&lotse_proxy::apply, MsgValue::map(), {}).status().message ==
          "an exception of an unknown kind came out of apply");
    CHECK(proxy.call_and_wait(&lotse_proxy::remove_all, MsgValue::map(), {}).status().message ==
          "the plugin gave no answer");
  }
  TransportPlugin transport(house.make("transport", "throws_transport", "throws"));
  CHECK(transport.start().message == "0.0.0.0:6443 is in use");
  CHECK(transport.addresses().empty());
  std::string said;
  transport.drain({}, [&](Status status, Bytes) { said = status.message; });
  CHECK(said == "an exception came out of drain: ouch");
}
