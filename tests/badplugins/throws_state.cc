// By the C++ wrapper: throws out of everything.
#include "lotse/state.hpp"
using namespace lotse::sdk;
namespace {
struct Throws : State {
  Throws(const Host& host, const Config&) : State(host, {.watch = true, .backup = true}) {}
  static std::vector<lotse_key> keys() { return {}; }
  void commit(const lotse_state_op*, size_t, CommitDone) override { throw 1; }
  void range(const lotse_state_range&, const std::function<bool(const lotse_state_entry&)>&,
             lotse_state_range_result*) override {
    throw std::runtime_error("ouch");
  }
  void info(lotse_state_info*) override { throw std::runtime_error("ouch"); }
  void compact(uint64_t) override { throw std::runtime_error("ouch"); }
  ProducerPtr watch(std::string_view, std::string_view, uint64_t) override { throw std::runtime_error("ouch"); }
  void backup(int) override { throw std::runtime_error("ouch"); }
  void restore(int, uint64_t) override { throw std::runtime_error("ouch"); }
  void reconfigure(const Config&) override { throw std::runtime_error("ouch"); }
};
}  // namespace
LOTSE_PLUGIN(state, "throws", "0.1.0", 0, "throws", Throws)
