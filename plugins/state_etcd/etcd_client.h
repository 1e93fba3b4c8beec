// Calls to an etcd cluster: one member at a time, the next one when it fails.
//
// A call that certainly did not take place (no connection, no leader, an old token) is made again on another member
// until its deadline. One whose answer is lost is made again only if it is `safe` to repeat; otherwise it ends as
// `lost`. A member that is silent for a second while a call waits is asked for a sign of life (an HTTP/2 ping), so that
// a machine that hangs is left, while one whose disk is slow is waited for. A change that a dying leader took with it
// is given up as soon as a later one has passed it.
//
// Threads: everything on the reactor's thread.
#pragma once
#include <functional>
#include <lotse/state/storage.hpp>
#include <memory>

#include "plugins/container_engine/reactor.h"
#include "plugins/grpc_client/grpc_client.h"
#include "plugins/state_etcd/settings.h"

namespace google::protobuf {
class MessageLite;
}

namespace lotse::state_etcd {
using container_engine::Reactor;
using grpc_client::GrpcClient;
using grpc_client::GrpcCode;
using grpc_client::GrpcHandler;
using grpc_client::GrpcStatus;
using grpc_client::GrpcStream;

struct Answer {
  GrpcStatus status;
  bool lost = false;  // it may have taken place
  std::string body;
  bool ok() const { return status.ok(); }
};

// What it means for one who only asked.
state::Status status_of(const Answer& answer);

class EtcdClient {
 public:
  using Done = std::function<void(Answer)>;
  EtcdClient(Reactor& reactor, Settings& settings);
  ~EtcdClient();

  void call(const char* method, const google::protobuf::MessageLite& request, bool safe, int64_t timeout_ns, Done done);
  // A stream to the present member; `first` is its first message. It ends when the member fails.
  std::shared_ptr<GrpcStream> stream(const char* method, const google::protobuf::MessageLite& first,
                                     GrpcHandler handler);
  // The member is of no use: the next one from now on.
  void next_member(const std::string& why);
  void close();

 private:
  struct Call;
  using CallPtr = std::shared_ptr<Call>;
  void attempt(const CallPtr& call);
  void watch_over(const CallPtr& call, size_t member);
  void pass(const CallPtr& call, size_t member);
  void attempted(const CallPtr& call, size_t member, const GrpcStatus& status);
  void again(const CallPtr& call, const GrpcStatus& status);
  void finish(const CallPtr& call, const GrpcStatus& status, bool lost);
  void authenticate(const CallPtr& then);
  void resolve_again(size_t member);

  Reactor& reactor_;
  Settings& settings_;
  std::vector<std::unique_ptr<GrpcClient>> members_;
  size_t current_ = 0;
  std::string token_;
  bool closed_ = false;
  std::vector<std::thread> resolvers_;
  std::vector<std::weak_ptr<Call>> calls_;
};

namespace method {
inline constexpr char kRange[] = "/etcdserverpb.KV/Range";
inline constexpr char kPut[] = "/etcdserverpb.KV/Put";
inline constexpr char kDeleteRange[] = "/etcdserverpb.KV/DeleteRange";
inline constexpr char kTxn[] = "/etcdserverpb.KV/Txn";
inline constexpr char kCompact[] = "/etcdserverpb.KV/Compact";
inline constexpr char kWatch[] = "/etcdserverpb.Watch/Watch";
inline constexpr char kLeaseGrant[] = "/etcdserverpb.Lease/LeaseGrant";
inline constexpr char kAuthenticate[] = "/etcdserverpb.Auth/Authenticate";
inline constexpr char kStatus[] = "/etcdserverpb.Maintenance/Status";
}  // namespace method

}  // namespace lotse::state_etcd
