// The one thread that touches the ROUTER socket: it reads messages, passes them to the sessions of their clients and
// sends what these have to say. Woken by the socket's descriptor or by an eventfd; it never polls.
#pragma once
#include <lotse/host.hpp>

#include <condition_variable>
#include <memory>
#include <thread>
#include <unordered_map>

#include "plugins/transport_zmq/client_session.h"

namespace lotse::transport_zmq {

struct ZmqSettings {
  std::vector<std::string> listen;
  int64_t message_max = 0;
  int64_t clients_max = 0;
};

struct Keys {
  std::string public_key, secret_key;  // Z85
};

class ZmqLoop : public transport_rest::Executor {
 public:
  ZmqLoop(const sdk::Host& host, const ZmqSettings& settings, transport_rest::Outstanding& outstanding);
  ~ZmqLoop() override;
  // Binds, then serves; throws sdk::Failure with a sentence that names the address.
  void start(const Keys& keys);
  void stop();        // ends the thread
  void close_all();   // [any] forgets all clients; their requests are cancelled
  void drain(std::function<void()> done, int64_t deadline_ns);  // [any] takes no new clients; done when all have ended
  std::vector<std::string> addresses() const { return addresses_; }

  void post(std::function<void()> task) override;
  bool is_here() const override { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  void listen_unix(const std::string& address, const std::string& path);
  struct Release;
  void run();
  void run_tasks();
  void read_some();
  bool send(const std::string& client, Outgoing message);
  void forget_idle();
  void ping_streams();
  int timeout_ms() const;
  void wake();
  ClientSession* session_of(const std::string& client);

  const sdk::Host host_;
  const ZmqSettings settings_;
  transport_rest::Outstanding& outstanding_;
  void* context_ = nullptr;
  void* socket_ = nullptr;
  int wake_fd_ = -1;
  std::vector<std::string> addresses_;
  std::mutex mutex_;
  std::vector<std::function<void()>> tasks_;  // guarded by mutex_
  std::unordered_map<std::string, std::unique_ptr<ClientSession>> sessions_;
  int64_t next_ping_ns_ = 0, drain_deadline_ns_ = 0;
  std::function<void()> drained_;
  bool draining_ = false, stopping_ = false;
  std::thread thread_;
};

}  // namespace lotse::transport_zmq
