// By the C++ wrapper: throws out of everything.
#include "lotse/transport.hpp"
using namespace lotse::sdk;
namespace {
struct Throws : Transport {
  Throws(const Host& host, const Config&) : Transport(host) {}
  static std::vector<lotse_key> keys() { return {}; }
  void start() override { throw Failure(LOTSE_UNAVAILABLE, "0.0.0.0:6443 is in use"); }
  void drain(Call) override { throw std::runtime_error("ouch"); }
  std::vector<std::string> addresses() override { throw std::runtime_error("ouch"); }
};
}  // namespace
LOTSE_PLUGIN(transport, "throws", "0.1.0", 0, "throws", Throws)
