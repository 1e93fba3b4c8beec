// By the C++ wrapper: throws out of everything.
#include "lotse/scheduler.hpp"
using namespace lotse::sdk;
namespace {
struct Throws : Scheduler {
  Throws(const Host& host, const Config&) : Scheduler(host) {}
  static std::vector<lotse_key> keys() { return {}; }
  void node_set(const lotse_sched_node&) override { throw std::runtime_error("ouch"); }
  void node_remove(std::string_view) override { throw std::runtime_error("ouch"); }
  void pod_set(const lotse_sched_pod&) override { throw std::runtime_error("ouch"); }
  void pod_remove(std::string_view) override { throw std::runtime_error("ouch"); }
  void schedule(const lotse_sched_pod* const*, size_t, uint64_t, Answers*) override {
    throw std::runtime_error("ouch");
  }
};
}  // namespace
LOTSE_PLUGIN(scheduler, "throws", "0.1.0", 0, "throws", Throws)
