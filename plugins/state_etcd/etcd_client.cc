#include "plugins/state_etcd/etcd_client.h"

#include <google/protobuf/message_lite.h>

#include "lotse/state_etcd/etcd.pb.h"

namespace lotse::state_etcd {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kSignOfLife = kSecond;  // after this long, and for this long
constexpr int64_t kRetryDelay = 50'000'000;
constexpr int64_t kSafeAttempt = 2 * kSecond;  // a read goes to another member after this

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// The cluster's word, or our own, that it did not take place.
bool not_done(const GrpcStatus& s) {
  if (s.code == GrpcCode::unavailable && !s.lost_connection) {
    return s.message.starts_with("cannot connect") || has(s.message, "no leader") || has(s.message, "REFUSED_STREAM");
  }
  return s.code == GrpcCode::resource_exhausted && has(s.message, "too many requests");
}
bool token_is_old(const GrpcStatus& s) {
  return s.code == GrpcCode::unauthenticated || has(s.message, "invalid auth token");
}
bool final(const GrpcStatus& s) {
  switch (s.code) {
    case GrpcCode::invalid_argument:
    case GrpcCode::not_found:
    case GrpcCode::permission_denied:
    case GrpcCode::resource_exhausted:
    case GrpcCode::failed_precondition:
    case GrpcCode::out_of_range:
    case GrpcCode::unimplemented:
    case GrpcCode::unauthenticated:
      return true;
    default:
      return false;
  }
}

}  // namespace

state::Status status_of(const Answer& answer) {
  const GrpcStatus& s = answer.status;
  if (s.ok()) return {};
  if (s.code == GrpcCode::permission_denied || s.code == GrpcCode::unauthenticated) return {LOTSE_DENIED, s.message};
  if (s.code == GrpcCode::out_of_range && has(s.message, "compacted")) return {LOTSE_COMPACTED, s.message};
  if (has(s.message, "space exceeded")) return {LOTSE_NO_SPACE, s.message};
  if (has(s.message, "too large") || has(s.message, "larger than max")) return {LOTSE_TOO_LARGE, s.message};
  if (answer.lost) return {LOTSE_UNKNOWN, s.message};
  return {LOTSE_UNAVAILABLE, s.message.empty() ? "etcd does not answer" : s.message};
}

struct EtcdClient::Call {
  std::string method, body;
  bool safe = false;
  int64_t deadline = 0;
  Done done;
  std::string answer;
  size_t failures = 0;
  std::shared_ptr<GrpcStream> stream;
  uint64_t probe_timer = 0;
  std::string token;
};

EtcdClient::EtcdClient(Reactor& reactor, Settings& settings) : reactor_(reactor), settings_(settings) {
  for (Endpoint& e : settings_.endpoints) members_.push_back(std::make_unique<GrpcClient>(reactor_, e.target));
}
EtcdClient::~EtcdClient() {
  for (auto& thread : resolvers_) thread.join();
}

void EtcdClient::close() {
  closed_ = true;
  for (auto& member : members_) member->close();
  for (auto& weak : calls_) {
    if (auto call = weak.lock()) finish(call, {GrpcCode::cancelled, "the store is closing"}, false);
  }
  calls_.clear();
}

void EtcdClient::call(const char* method, const google::protobuf::MessageLite& request, bool safe, int64_t timeout_ns,
                      Done done) {
  auto call = std::make_shared<Call>();
  call->method = method;
  call->body = request.SerializeAsString();
  call->safe = safe;
  call->deadline = Reactor::now_ns() + timeout_ns;
  call->done = std::move(done);
  std::erase_if(calls_, [](const auto& weak) { return weak.expired(); });
  calls_.push_back(call);
  attempt(call);
}

std::shared_ptr<GrpcStream> EtcdClient::stream(const char* method, const google::protobuf::MessageLite& first,
                                               GrpcHandler handler) {
  grpc_client::GrpcOptions options;
  options.metadata.emplace_back("hasleader", "true");
  if (!token_.empty()) options.metadata.emplace_back("token", token_);
  auto stream = members_[current_]->open(method, std::move(handler), std::move(options));
  stream->send(first.SerializeAsString());
  return stream;
}

void EtcdClient::next_member(const std::string& why) {
  size_t old = current_;
  current_ = (current_ + 1) % members_.size();
  members_[old]->disconnect(why);
}

void EtcdClient::finish(const CallPtr& call, const GrpcStatus& status, bool lost) {
  reactor_.timer_stop(call->probe_timer);
  if (!call->done) return;
  Done done = std::move(call->done);
  call->done = {};
  done({status, lost, std::move(call->answer)});
}

void EtcdClient::attempt(const CallPtr& call) {
  if (!call->done) return;
  int64_t now = Reactor::now_ns();
  if (closed_) return finish(call, {GrpcCode::cancelled, "the store is closing"}, false);
  if (now >= call->deadline) return finish(call, {GrpcCode::unavailable, "no member of etcd answers"}, false);
  bool authenticating = call->method == method::kAuthenticate;
  if (!settings_.user.empty() && token_.empty() && !authenticating) return authenticate(call);
  size_t member = current_;
  grpc_client::GrpcOptions options;
  options.deadline_ns = call->safe ? std::min(call->deadline, now + kSafeAttempt) : call->deadline;
  options.metadata.emplace_back("hasleader", "true");
  if (!token_.empty() && !authenticating) options.metadata.emplace_back("token", token_);
  call->token = token_;
  call->answer.clear();
  GrpcHandler handler;
  handler.on_message = [call](std::string_view message) { call->answer = message; };
  handler.on_end = [this, call, member](const GrpcStatus& status) { attempted(call, member, status); };
  call->stream = members_[member]->open(call->method, std::move(handler), std::move(options));
  call->stream->send(call->body);
  call->stream->finish();
  watch_over(call, member);
}

// While a call waits, once a second: is the member alive, and does the cluster still take changes?
void EtcdClient::watch_over(const CallPtr& call, size_t member) {
  std::weak_ptr<Call> weak = call;
  call->probe_timer = reactor_.timer(kSignOfLife, [this, weak, member] {
    CallPtr waiting = weak.lock();
    if (!waiting || !waiting->done) return;
    members_[member]->probe(kSignOfLife);
    if (!waiting->safe) pass(waiting, member);
    watch_over(waiting, member);
  });
}

// A change that went to a leader just as it died is answered by nobody until etcd gives it up after seconds. A lease
// that was asked for later takes the same way through the same member; if it arrives and the change has not, the change
// is lost.
void EtcdClient::pass(const CallPtr& call, size_t member) {
  LeaseGrantRequest request;
  request.set_ttl(2);
  grpc_client::GrpcOptions options;  // without asking for a leader: it waits for the new one
  options.deadline_ns = call->deadline;
  if (!call->token.empty()) options.metadata.emplace_back("token", call->token);
  GrpcHandler handler;
  std::weak_ptr<Call> weak = call;
  std::weak_ptr<GrpcStream> stream = call->stream;
  handler.on_end = [this, weak, stream](const GrpcStatus& status) {
    CallPtr passed = weak.lock();
    if (!status.ok() || closed_ || !passed || !passed->done || passed->stream != stream.lock()) return;
    auto old = passed->stream;
    finish(passed, {GrpcCode::unknown, "etcd has lost the change, as far as can be told"}, true);
    old->cancel();
  };
  auto lease = members_[member]->open(method::kLeaseGrant, std::move(handler), std::move(options));
  lease->send(request.SerializeAsString());
  lease->finish();
}

void EtcdClient::attempted(const CallPtr& call, size_t member, const GrpcStatus& status) {
  reactor_.timer_stop(call->probe_timer);
  if (!call->done) return;
  if (closed_) return finish(call, status, !call->safe);
  if (status.ok() || !call->stream) return finish(call, status, false);
  if (token_is_old(status) && !settings_.user.empty() && call->method != method::kAuthenticate) {
    if (token_ == call->token) token_.clear();
    return again(call, status);
  }
  if (final(status) && !not_done(status)) return finish(call, status, false);
  if (member == current_) {
    resolve_again(member);
    next_member(status.message);
  }
  if (call->safe || not_done(status)) return again(call, status);
  finish(call, status, true);
}

// At once on the other members, then with pauses.
void EtcdClient::again(const CallPtr& call, const GrpcStatus& status) {
  if (Reactor::now_ns() + kRetryDelay >= call->deadline) {
    GrpcStatus last = status;
    last.lost_connection = false;
    return finish(call, last, false);
  }
  bool at_once = ++call->failures < members_.size();
  reactor_.timer(at_once ? 0 : kRetryDelay, [this, call] { attempt(call); });
}

void EtcdClient::authenticate(const CallPtr& then) {
  AuthenticateRequest request;
  request.set_name(settings_.user);
  request.set_password(settings_.password);
  int64_t left = then->deadline - Reactor::now_ns();
  call(method::kAuthenticate, request, true, left, [this, then](Answer answer) {
    AuthenticateResponse response;
    if (!answer.ok() || !response.ParseFromString(answer.body)) {
      return finish(then, answer.ok() ? GrpcStatus{GrpcCode::internal, "etcd's answer cannot be read"} : answer.status,
                    false);
    }
    token_ = response.token();
    attempt(then);
  });
}

// Names may point elsewhere by now. The resolver may block: a thread asks it.
void EtcdClient::resolve_again(size_t member) {
  Endpoint endpoint = settings_.endpoints[member];
  if (endpoint.host.find_first_not_of("0123456789.:abcdef") == std::string::npos || resolvers_.size() > 0) return;
  resolvers_.emplace_back([this, member, endpoint]() mutable {
    std::string why;
    bool found = resolve(endpoint, &why);
    reactor_.post([this, member, found, endpoint] {
      if (found) members_[member]->set_address(endpoint.target.address, endpoint.target.address_size);
      if (!resolvers_.empty() && resolvers_.front().joinable()) resolvers_.front().join();
      resolvers_.clear();
    });
  });
}

}  // namespace lotse::state_etcd
