// By the C++ wrapper: throws out of everything, also out of a stream that was opened.
#include "lotse/runtime.hpp"
using namespace lotse::sdk;
namespace {
struct Stumbles : Producer {
  using Producer::Producer;
  void on_credit() override { throw std::runtime_error("ouch"); }
};
struct Throws : Runtime {
  Throws(const Host& host, const Config&) : Runtime(host) {}
  static std::vector<lotse_key> keys() { return {}; }
  void info(const Msg&, Call) override { throw std::runtime_error("ouch"); }
#define THROWS(NAME) \
  void NAME(const Msg&, Call) override { throw Failure(LOTSE_NOT_FOUND, #NAME ": ouch"); }
  THROWS(sandbox_run)
  THROWS(sandbox_stop) THROWS(sandbox_remove) THROWS(sandbox_status) THROWS(sandbox_list) THROWS(container_create)
      THROWS(container_start) THROWS(container_stop) THROWS(container_remove) THROWS(container_status)
          THROWS(container_list) THROWS(container_update) THROWS(container_stats) THROWS(container_reopen_log)
              THROWS(exec_sync) THROWS(image_import) THROWS(image_status) THROWS(image_list) THROWS(image_remove)
                  THROWS(image_fs) ProducerPtr exec(const Msg&) override {
    throw std::runtime_error("ouch");
  }
  ProducerPtr events(const Msg&) override { return std::make_shared<Stumbles>(host()); }
};
}  // namespace
LOTSE_PLUGIN(runtime, "throws", "0.1.0", 0, "throws", Throws)
