// The master's calls. open comes on any thread; pods live on the loop: so each gets a stream at once, and what stands
// behind it is opened there.
#include "core/agent/agent_impl.h"
#include "core/agent/deferred_stream.h"
#include "core/agent/node_stats.h"
#include "core/agent/proxy_stream.h"

namespace lotse::agent {
namespace {

constexpr Duration kShort = std::chrono::seconds(30);
constexpr std::string_view kKinds[] = {"logs", "exec", "attach", "portforward", "proxy", "stats"};

MsgValue remote_command(const MsgValue& a, const std::string& id, bool exec) {
  auto request = MsgValue::map({{"id", id}, {"stdin", a["stdin"].as_bool()}, {"stdout", a["stdout"].as_bool()},
                                {"stderr", a["stderr"].as_bool() && !a["tty"].as_bool()}, {"tty", a["tty"].as_bool()}});
  if (exec) request.set("command", a["command"]);
  return request;
}

}  // namespace

Result<StreamPtr> Agent::Impl::open(std::string_view kind, std::string_view arguments, SinkPtr sink) {
  if (std::find(std::begin(kKinds), std::end(kKinds), kind) == std::end(kKinds)) {
    return Status(Reason::kMethodNotAllowed, "this node has no call \"" + std::string(kind) + "\"");
  }
  LOTSE_TRY(auto parsed, MsgValue::parse(arguments));
  auto stream = DeferredStream::make(sink);
  loop.post(
      [weak = weak_from_this(), kind = std::string(kind), parsed = std::move(parsed), sink, core = stream->core()] {
        auto self = weak.lock();
        if (!self || self->stopped) return core->fail(Status(Reason::kServiceUnavailable, "the node is going down"));
        if (core->cancelled()) return core->fail(Status(Reason::kCancelled, "the client has gone"));
        self->open_on_loop(kind, parsed, sink, core);
      });
  return StreamPtr(std::move(stream));
}

Result<PodWorker*> Agent::Impl::find_pod(const MsgValue& a) {
  auto it = pods.find(std::string(a["uid"].as_text()));
  if (it != pods.end()) return it->second.get();
  return Status::not_found("", "pods", a["name"].as_text());
}

void Agent::Impl::open_on_loop(const std::string& kind, const MsgValue& a, const SinkPtr& sink,
                               const std::shared_ptr<DeferredStream::Core>& core) {
  auto take = [&](Result<StreamPtr> stream) {
    if (stream.ok()) core->attach(std::move(*stream));
    else core->fail(stream.status());
  };
  if (kind == "stats") return take(open_stats(a, sink));
  if (kind == "proxy" && a["uid"].as_text().empty()) {
    auto address = a["address"].as_text();
    if (address.empty()) return core->fail(Status(Reason::kNotFound, "this node serves no pages of its own"));
    return take(open_proxy(loop, a, std::string(address), sink));
  }
  auto pod = find_pod(a);
  if (!pod.ok()) return core->fail(pod.status());
  const auto& state = (*pod)->state();
  if (kind == "logs") return take(open_logs(**pod, a, sink));
  if (kind == "portforward") {
    if (state.sandbox != PodState::Sandbox::kReady)
      return core->fail(Status(Reason::kBadRequest, "pod is not running"));
    return take(runtime.open(Open::kPortForward,
                             MsgValue::map({{"sandbox", state.sandbox_id}, {"port", a["port"].as_int()}}), sink));
  }
  if (kind == "proxy") {
    auto ip = std::string(a["address"].as_text());
    if (ip.empty())
      ip = state.spec->host_network ? (config.node_ips.empty() ? "" : config.node_ips.front())
                                    : (state.ips.empty() ? "" : state.ips.front());
    if (ip.empty()) return core->fail(Status(Reason::kServiceUnavailable, "the pod has no address yet"));
    return take(open_proxy(loop, a, ip, sink));
  }
  auto id = (*pod)->container_id(a["container"].as_text(), true);
  if (!id.ok()) return core->fail(id.status());
  bool exec = kind == "exec";
  take(runtime.open(exec ? Open::kExec : Open::kAttach, remote_command(a, *id, exec), sink));
}

Result<StreamPtr> Agent::Impl::open_logs(PodWorker& pod, const MsgValue& a, const SinkPtr& sink) {
  const auto& s = pod.state();
  std::string name(a["container"].as_text());
  int index = s.spec->find(name);
  if (index < 0) return Status(Reason::kBadRequest, "container " + name + " is not valid for pod " + s.spec->name);
  const auto& c = s.containers[static_cast<size_t>(index)];
  bool waits = c.phase != ContainerState::Phase::kRunning && !c.reason.empty() && c.end;
  int attempt = c.attempt;
  if (a["previous"].as_bool()) {
    if (!waits) --attempt;
    if (attempt < 0 || (!waits && !c.last)) {
      return Status(Reason::kBadRequest,
                    "previous terminated container \"" + name + "\" in pod \"" + s.spec->name + "\" not found");
    }
  } else if (c.id.empty() || attempt < 0) {
    auto why = c.reason.empty() || c.reason == "PostStart"
                   ? (s.initialized || index == 0 ? "ContainerCreating" : "PodInitializing")
                   : c.reason;
    return Status(Reason::kBadRequest,
                  "container \"" + name + "\" in pod \"" + s.spec->name + "\" is waiting to start: " + why);
  }
  LogOptions o;
  o.root = pod.dirs().logs;
  o.container = name;
  o.attempt = attempt;
  o.follow = a["follow"].as_bool();
  o.timestamps = a["timestamps"].as_bool();
  o.tail_lines = a["tail_lines"].as_int(-1);
  o.since = WallTime(Duration(a["since_ns"].as_int()));
  o.limit_bytes = a["limit_bytes"].as_int();
  auto running = [weak = weak_from_this(), uid = s.spec->uid, index, attempt] {
    auto self = weak.lock();
    auto it = self ? self->pods.find(uid) : decltype(self->pods.end()){};
    if (!self || it == self->pods.end()) return false;
    const auto& now = it->second->state().containers[static_cast<size_t>(index)];
    return now.attempt == attempt && (now.running() || now.phase == ContainerState::Phase::kStarting);
  };
  auto stream = std::make_shared<LogStream>(loop, pool, std::move(o), sink, running);
  if (a["follow"].as_bool()) readers.emplace(s.spec->uid, stream);
  stream->start();
  return LogStream::handle(stream);
}

Result<StreamPtr> Agent::Impl::open_stats(const MsgValue& a, const SinkPtr& sink) {
  auto stream = DeferredStream::make(sink);
  std::string only(a["uid"].as_text());
  call_on(loop, runtime, Call::kContainerStats, MsgValue::map(), kShort,
          [weak = weak_from_this(), core = stream->core(), sink, only](Result<MsgValue> answer) {
            auto self = weak.lock();
            if (!self || !answer.ok())
              return core->fail(answer.ok() ? Status(Reason::kServiceUnavailable, "the node is going down")
                                            : answer.status());
            std::vector<const PodWorker*> list;
            for (const auto& [uid, pod] : self->pods) {
              if (only.empty() || uid == only) list.push_back(pod.get());
            }
            auto summary = stats_summary(self->config, self->node_state.facts, list, *answer, self->loop.clock().now());
            if (core->cancelled()) return core->fail(Status(Reason::kCancelled, "the client has gone"));
            sink->on_item(0, json::write_bytes(summary));
            core->fail(Status());
          });
  return StreamPtr(std::move(stream));
}

}  // namespace lotse::agent
