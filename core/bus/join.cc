// The join, at the worker's or the new master's end.
#include <condition_variable>
#include <mutex>

#include "core/base/msgpack.h"
#include "core/base/run_on.h"
#include "core/bus/bus.h"
#include "core/bus/session.h"
#include "core/bus/socket.h"

namespace lotse::bus {

Result<Joined> join(Context& context, const JoinString& to, const std::string& node, const security::CurvePair& keys, Duration deadline) {
  struct Wait {
    std::mutex mutex;
    std::condition_variable ready;
    std::optional<Result<Joined>> result;
  };
  auto wait = std::make_shared<Wait>();
  auto finish = [wait](Result<Joined> result) {
    std::lock_guard lock(wait->mutex);
    if (!wait->result) wait->result.emplace(std::move(result));
    wait->ready.notify_one();
  };
  Loop& loop = context.loop();
  std::vector<std::shared_ptr<Socket>> sockets;
  run_on(loop, [&] {
    for (const auto& endpoint : to.master.endpoints) {
      auto socket = std::make_shared<Socket>(context, Socket::Kind::kDealer);
      socket->curve_client(keys, to.master.public_z85);
      socket->limits(kFrameBytesMax, 4);
      Status status = socket->connect(join_endpoint(endpoint));
      if (!status.ok()) {
        finish(status);
        continue;
      }
      // The token is for one try: asked on the first address that takes the message.
      std::string body = MsgValue::map({{"node", node}, {"token", to.token}, {"master", to.for_master}}).encode();
      auto ask = [weak = std::weak_ptr<Socket>(socket), body, asked = std::make_shared<bool>(false)] {
        auto s = weak.lock();
        if (s && !*asked && s->send("", body) == Socket::Sent::kYes) *asked = true;
      };
      socket->start(loop, [finish](Message m) {
        auto v = MsgValue::parse(m.body);
        if (!v.ok()) return finish(v.status());
        if (!(*v)["ok"].as_bool()) return finish(Status(Reason::kUnauthorized, std::string((*v)["message"].as_text())));
        Joined joined;
        joined.cluster = Bytes((*v)["cluster"].as_text());
        joined.masters = masters_in((*v)["masters"]);
        joined.keys = Bytes((*v)["keys"].as_text());
        finish(std::move(joined));
      }, ask);
      ask();
      sockets.push_back(std::move(socket));
    }
  });
  {
    std::unique_lock lock(wait->mutex);
    wait->ready.wait_for(lock, deadline, [&] { return wait->result.has_value(); });
    if (!wait->result) wait->result.emplace(Status(Reason::kServiceUnavailable, "no master answered the join: is port 6441 (one below the bus's) reachable, and is the join string of this cluster?"));
  }
  run_on(loop, [&] { sockets.clear(); });
  return std::move(*wait->result);
}

}  // namespace lotse::bus
