// The bus: masters and workers over ZeroMQ. A worker dials out to a master's ROUTER socket; CURVE keys are the identities.
// Over a session run the worker's API requests, the master's calls to the worker, and pings, as streams with credit (mux.h).
// Frames, limits and the course of a session: README.md.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/api/server.h"
#include "core/base/loop.h"
#include "core/bus/mux.h"
#include "core/security/security.h"

namespace lotse { class MsgValue; }
namespace lotse::bus {

// The one thread that touches ZeroMQ sockets, and ZeroMQ's own context. Ends after everything that uses it.
class Context {
 public:
  Context();
  ~Context();
  Loop& loop();
  void* zmq();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct MasterAddress {
  std::vector<std::string> endpoints;  // "tcp://192.0.2.1:6442"; the join socket is one port below
  std::string public_z85;
};

// In MessagePack: [{a [endpoint], k key}].
std::vector<MasterAddress> masters_in(const MsgValue& list);
MsgValue masters_out(const std::vector<MasterAddress>& masters);

// What a joining worker brings and gets. `lotse token create` prints it as one word: "lotse1." and base64url of a MessagePack map.
struct JoinString {
  MasterAddress master;
  std::string token;
  bool for_master = false;  // lets a master in, not a worker
  std::string write() const;
  static Result<JoinString> parse(std::string_view text);
};

// Which keys are which nodes, and the tokens that let a new one in. Kept in the store, so that every master knows them.
class Registry {
 public:
  static std::shared_ptr<Registry> make(store::Store& store, Clock& clock);
  virtual ~Registry() = default;
  // [any thread] The node with this key; nothing: unknown.
  virtual std::optional<std::string> node_of(const std::string& public_z85) const = 0;
  // A one-time token, kept as a hash: for a worker, or for a master.
  virtual void create_token(Duration lifetime, bool for_master, std::function<void(Result<std::string>)> done) = 0;
  // Spends the token and records the key: kUnauthorized (unknown, spent or expired), kConflict (the name belongs to another key).
  virtual void join(const std::string& token, const std::string& node, const std::string& public_z85, std::function<void(Status)> done) = 0;
  // Spends the token of a master: kUnauthorized as above.
  virtual void spend_master_token(const std::string& token, std::function<void(Status)> done) = 0;
  // For nodes of this very process: no token.
  virtual void admit(const std::string& node, const std::string& public_z85, std::function<void(Status)> done) = 0;
};

class Master : public api::Nodes {
 public:
  struct Config {
    std::string listen;                 // "tcp://0.0.0.0:6442"; empty: in-process only
    std::string local_node;             // may connect over inproc without a key; empty: nobody
    security::CurvePair keys;
    std::string cluster_id;
    std::vector<MasterAddress> masters;  // told to workers
    Bytes cluster;                       // MessagePack: network settings and CA for workers, handed out at the join and in each welcome
    // [bus loop] Another master asks to join: by a master's token and with its public key. done: what only that key can open.
    using AdmitMaster = std::function<void(std::string token, std::string name, std::string public_z85, std::function<void(Result<Bytes>)> done)>;
    AdmitMaster admit_master;            // empty: no master may join
  };
  // Binds; fails in a sentence that names the address. on_ping: [bus loop] a node was heard.
  static Result<std::unique_ptr<Master>> start(Context& context, Config config, api::Handler& handler, std::shared_ptr<Registry> registry,
                                               std::function<void(const std::string& node)> on_ping);
  // [any but the bus loop] All sessions end, with what runs over them, and none begins.
  virtual void close() = 0;
  // [any] The masters have changed: all workers are told.
  virtual void set_masters(std::vector<MasterAddress> masters) = 0;
  virtual std::vector<std::string> nodes() const = 0;   // with a session
  virtual std::string endpoint() const = 0;             // as bound ("tcp://0.0.0.0:41234")
};

// What a master says at the beginning of a session.
struct Welcome {
  Bytes cluster;                       // the cluster's settings, as at the join
  std::vector<MasterAddress> masters;  // where the masters are now, the one that answered first; empty: in this process
};

// A node's sessions, one with each master, and the Handler of its API requests, which go over one of them: the first that there is, and when
// it ends another. What was under way ends with kServiceUnavailable. Sessions come back by themselves; while there is none requests are
// answered with kServiceUnavailable.
class Worker : public api::Handler {
 public:
  struct Config {
    std::string node;
    security::CurvePair keys;
    std::vector<MasterAddress> masters;  // empty: the master in this process, over inproc
    bool dial_others = false;            // with the master in this process: sessions with the others too, which know this key
    std::string version;
    Duration ping_period = std::chrono::seconds(10);
    Duration silence_max = std::chrono::seconds(25);
  };
  // [bus loop] What happens to the sessions.
  struct Events {
    std::function<void(const Welcome&)> connected;  // one has begun, or the masters have changed
    std::function<void()> lost;                     // there is none any more
    std::function<void(const std::string& why)> refused;  // a master does not know this node's key (any more): each time it says so
  };
  // calls: [bus loop] what the master opens on this node.
  static std::unique_ptr<Worker> start(Context& context, Config config, Mux::Acceptor calls, Events events);
  // [any thread] Other masters from now on: all sessions begin anew.
  virtual void set_masters(std::vector<MasterAddress> masters) = 0;
  // [any but the bus loop] The session is over and none begins: no callback comes afterwards, requests are answered as without a session.
  virtual void close() = 0;
};

// The join, once: blocks until it is answered or the deadline has passed. The result is the cluster's settings and masters.
struct Joined {
  Bytes cluster;
  std::vector<MasterAddress> masters;
  Bytes keys;  // of a master's join: what Master::Config::admit_master gave
};
Result<Joined> join(Context& context, const JoinString& to, const std::string& node, const security::CurvePair& keys, Duration deadline);

inline constexpr const char* kLocalEndpoint = "inproc://lotse.bus";

}  // namespace lotse::bus
