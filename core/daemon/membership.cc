#include "core/daemon/membership.h"

#include <mutex>

#include "core/base/file.h"
#include "core/base/ids.h"
#include "core/base/log.h"
#include "core/base/msgpack.h"

namespace lotse::daemon {
namespace {

constexpr Duration kJoinMax = std::chrono::seconds(30);
constexpr size_t kJoinFileMax = 8192, kKeptMax = 1 << 20;

// What lies in DIR/worker/joined.
struct Kept {
  std::vector<bus::MasterAddress> masters;
  Bytes cluster;
  std::string used;  // SHA-256 of the join string that let us in: it is good for once
  std::string encode() const {
    MsgValue list = MsgValue::array();
    for (const auto& m : masters) list.push(MsgValue::map({{"a", MsgValue::strings(m.endpoints)}, {"k", m.public_z85}}));
    return MsgValue::map({{"masters", list}, {"cluster", MsgValue::bin(cluster.view())}, {"used", used}}).encode();
  }
  static Result<Kept> decode(std::string_view bytes) {
    LOTSE_TRY(MsgValue v, MsgValue::parse(bytes));
    Kept kept;
    for (const auto& item : v["masters"].items()) kept.masters.push_back({item["a"].as_strings(), std::string(item["k"].as_text())});
    kept.cluster = Bytes(v["cluster"].as_text());
    kept.used = std::string(v["used"].as_text());
    return kept;
  }
};

}  // namespace

struct Membership::State {
  Base& base;
  security::CurvePair keys;
  std::string file;
  std::mutex mutex;    // guards the rest
  std::mutex joining;  // held while a join is under way
  Kept kept;
  std::string refused;  // SHA-256 of a join string that did not let us in: not tried again
  bool busy = false, closed = false;

  State(Base& b, const security::CurvePair& k) : base(b), keys(k), file(b.dir() + "/worker/joined") {}

  Status keep(const Kept& next) {
    LOTSE_CHECK_OK(write_file_atomically(file, next.encode(), 0600));
    std::lock_guard lock(mutex);
    kept = next;
    return {};
  }

  Status join(const std::string& text) {
    LOTSE_TRY(bus::JoinString to, bus::JoinString::parse(text));
    log::info("daemon.joining", "asking a master to let this node in", {{"node", base.config.daemon.node_name}});
    LOTSE_TRY(bus::Joined joined, bus::join(base.bus, to, base.config.daemon.node_name, keys, kJoinMax));
    if (joined.masters.empty()) joined.masters = {to.master};
    return keep({std::move(joined.masters), joined.cluster, sha256_hex(text)});
  }

  // [worker]
  bool join_if_fresh() {
    const std::string& join_file = base.config.bus.join_file;
    auto text = join_file.empty() ? Result<std::string>(Status(Reason::kNotFound, "")) : read_file(join_file, kJoinFileMax);
    if (!text.ok()) return false;
    const std::string hash = sha256_hex(*text);
    Bytes before;
    {
      std::lock_guard lock(mutex);
      if (closed || hash == kept.used || hash == refused) return false;
      before = kept.cluster;
    }
    Status status = join(*text);
    if (!status.ok()) {
      // Who could not be reached may be tried again; what was refused is not.
      std::lock_guard lock(mutex);
      if (status.reason != Reason::kServiceUnavailable) refused = hash;
      log::warn("daemon.join_refused", status.message, {{"node", base.config.daemon.node_name}});
      return false;
    }
    log::info("daemon.joined_again", "this node is part of the cluster again", {{"node", base.config.daemon.node_name}});
    std::lock_guard lock(mutex);
    if (kept.cluster.view() == before.view()) return true;
    log::warn("daemon.other_cluster", "the settings of the cluster are others than before: lotsed must be started again");
    return false;
  }
};

Membership::Membership(std::shared_ptr<State> state) : state_(std::move(state)) {}
Membership::~Membership() { close(); }

Result<std::unique_ptr<Membership>> Membership::open(Base& base, const security::CurvePair& keys) {
  auto state = std::make_shared<State>(base, keys);
  if (auto bytes = read_file(state->file, kKeptMax); bytes.ok()) {
    LOTSE_TRY(state->kept, Kept::decode(*bytes));
  } else {
    const std::string& join_file = base.config.bus.join_file;
    if (join_file.empty()) {
      return Status(Reason::kInvalid,
                    "this worker has not joined a cluster: put what `lotse token create` prints on a master into a file "
                    "and name it as join_file in [bus]");
    }
    LOTSE_TRY(std::string text, read_file(join_file, kJoinFileMax));
    LOTSE_CHECK_OK(state->join(text));
  }
  return std::unique_ptr<Membership>(new Membership(std::move(state)));
}

std::vector<bus::MasterAddress> Membership::masters() const {
  std::lock_guard lock(state_->mutex);
  return state_->kept.masters;
}

Bytes Membership::cluster() const {
  std::lock_guard lock(state_->mutex);
  return state_->kept.cluster;
}

void Membership::welcomed(const bus::Welcome& welcome) {
  if (welcome.masters.empty()) return;
  {
    std::lock_guard lock(state_->mutex);
    Kept next = state_->kept;
    next.masters = welcome.masters;
    if (state_->closed || next.encode() == state_->kept.encode()) return;
  }
  const bool taken = state_->base.pool.submit([state = state_, masters = welcome.masters] {
    std::lock_guard one_at_a_time(state->joining);
    Kept next;
    {
      std::lock_guard lock(state->mutex);
      next = state->kept;
    }
    next.masters = masters;
    if (auto status = state->keep(next); !status.ok()) log::warn("daemon.masters_not_kept", status.message);
  });
  if (!taken) log::warn("daemon.masters_not_kept", "there is too much else to do");  // the next welcome says it again
}

void Membership::join_again(std::function<void(std::vector<bus::MasterAddress>)> joined) {
  {
    std::lock_guard lock(state_->mutex);
    if (state_->closed || std::exchange(state_->busy, true)) return;
  }
  const bool taken = state_->base.pool.submit([state = state_, joined = std::move(joined)] {
    std::lock_guard under_way(state->joining);
    const bool in = state->join_if_fresh();
    std::lock_guard lock(state->mutex);
    state->busy = false;
    if (in && !state->closed) joined(state->kept.masters);
  });
  if (taken) return;
  std::lock_guard lock(state_->mutex);
  state_->busy = false;
}

void Membership::close() {
  {
    std::lock_guard lock(state_->mutex);
    state_->closed = true;
  }
  std::lock_guard wait(state_->joining);
}

}  // namespace lotse::daemon
