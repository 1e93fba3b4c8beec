// What stands between the protocols and the host: where requests go, on whose thread answers are wanted, and how many of
// them are still out.
#pragma once
#include <lotse/abi/transport.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace lotse::transport_rest {

struct Settings;

// The thread of a connection. post may be called from any thread.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(std::function<void()> task) = 0;
  virtual bool is_here() const = 0;  // called on that thread
};

// Calls and streams that the host has not ended yet: the instance may not go before they have.
class Outstanding {
 public:
  void add();
  void remove();
  void wait_for_none();

 private:
  std::mutex mutex_;
  std::condition_variable none_;
  size_t count_ = 0;
};

struct Door {
  const lotse_host_api* api = nullptr;
  Executor* executor = nullptr;
  Outstanding* outstanding = nullptr;
  const Settings* settings = nullptr;
};

// Who is at the other end.
struct Peer {
  std::string address;                    // "192.0.2.7:51234", or "unix"
  std::vector<std::string> certificates;  // DER, leaf first
};

}  // namespace lotse::transport_rest
