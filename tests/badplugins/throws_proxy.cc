// By the C++ wrapper: throws out of everything.
#include "lotse/proxy.hpp"
using namespace lotse::sdk;
namespace {
struct Throws : Proxy {
  Throws(const Host& host, const Config&) : Proxy(host) {}
  static std::vector<lotse_key> keys() { return {}; }
  void info(const Msg&, Call) override { throw std::runtime_error("ouch"); }
  void resync(const Msg&, Call) override { throw std::runtime_error("ouch"); }
  void apply(const Msg&, Call) override { throw 42; }
  void remove_all(const Msg&, Call) override {}
};
}  // namespace
LOTSE_PLUGIN(proxy, "throws", "0.1.0", 0, "throws", Throws)
