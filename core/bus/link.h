// Link: a node's session with one master, and all that it takes to have one: connect, hello, welcome, then streams; on silence or a reset
// the socket is thrown away and a new session, with a new epoch, begins. Private to core/bus. Everything on the bus loop.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/bus/bus.h"
#include "core/bus/session.h"
#include "core/bus/socket.h"

namespace lotse::bus {

class Link : public std::enable_shared_from_this<Link> {
 public:
  struct Owner {
    std::function<void(Link&, std::string_view welcome)> welcomed;  // a session began, or the master has news of the others
    std::function<void(Link&)> lost;                                // a session that there was
    std::function<void(Link&, const std::string& why)> refused;     // the master does not know this node's key (any more)
  };
  // master.endpoints empty: the master in this process.
  Link(Context& context, const Worker::Config& config, MasterAddress master, Mux::Acceptor calls, Owner owner);
  void begin() { connect(); }
  void end(const Status& why);
  const std::string& key() const { return master_.public_z85; }  // of the master; empty: in this process
  const std::string& endpoint() const { return endpoint_; }      // that was tried last
  const std::vector<std::string>& endpoints() const { return master_.endpoints; }
  void set_endpoints(std::vector<std::string> endpoints) { master_.endpoints = std::move(endpoints); }
  std::shared_ptr<Mux> mux() const { return connected_ ? mux_ : nullptr; }
  // Whether the node's requests go here: then this master also renews the node's Lease when it hears a ping.
  // It is told at once: the one before may not have renewed for a while.
  void set_primary(bool primary);

 private:
  void connect();
  void link_changed(Socket::Link link);
  void refused(const std::string& why);
  void message(const Message& m);
  void welcome(const Frame& frame);
  void ping();
  void schedule_ping();
  void lose(const Status& why, bool again);

  Context& context_;
  Loop& loop_;
  const Worker::Config config_;
  MasterAddress master_;
  Mux::Acceptor calls_;
  Owner owner_;
  std::string endpoint_;
  std::unique_ptr<Socket> socket_;
  std::shared_ptr<Mux> mux_;
  std::unique_ptr<Sender> sender_;
  Handle timer_;
  SteadyTime heard_{};
  Duration wait_;
  size_t attempt_ = 0;
  uint64_t pings_ = 0;
  bool connected_ = false, ended_ = false, primary_ = false;
};

}  // namespace lotse::bus
