// A runtime that does, when it is asked for its info, what `do` says: to be contained in a process of its own.
#include <unistd.h>

#include <cstdio>

#include "lotse/runtime.hpp"
using namespace lotse::sdk;
namespace {

struct Echo : Producer {
  using Producer::Producer;
  bool on_write(uint32_t channel, std::string_view data) override {
    if (channel != LOTSE_STDIN) return false;
    send(LOTSE_STDOUT, data);
    consumed(data.size());
    return true;
  }
  void on_half_close(uint32_t) override { end(Msg::map({{"exit_code", 0}})); }
};

struct Misbehaves : Runtime {
  Misbehaves(const Host& host, const Config& config) : Runtime(host) {
    if (config.has("refuse")) throw Failure(LOTSE_INVALID, "it was told to refuse");
  }
  static std::vector<lotse_key> keys() { return {Key::text("refuse", "whether it refuses to be created")}; }
  void info(const Msg& request, Call call) override {
    const std::string what = request["do"].str();
    if (what == "crash") *reinterpret_cast<volatile int*>(8) = 1;
    if (what == "hang") return unanswered().push_back(call);
    if (what == "block") host().post([] { pause(); });
    if (what == "leak")
      for (std::vector<std::unique_ptr<std::string>> all;;) all.push_back(std::make_unique<std::string>(1 << 20, 'x'));
    if (what == "flood")
      for (int i = 0; i < 20'000; ++i) host().info("line", "again", {{"number", i}});
    if (what == "print")
      for (int i = 0; i < 2'000; ++i) fprintf(stderr, "a line that nobody needs, number %d, and more of that kind of thing\n", i);
    if (what == "fault") host().raise_fault("disk", "DiskOdd", "the disk is odd");
    call.done(Msg::map({{"pid", getpid()}}));
  }
  ProducerPtr exec(const Msg&) override { return std::make_shared<Echo>(host()); }

 private:
  static std::vector<Call>& unanswered() {
    static auto* all = new std::vector<Call>;
    return *all;
  }
};
}  // namespace
LOTSE_PLUGIN(runtime, "misbehaves", "0.1.0", 0, "misbehaves as it is told", Misbehaves)
