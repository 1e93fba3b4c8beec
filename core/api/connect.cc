// pods/exec, attach and portforward: the stream goes from the client to the node's agent; this only says where it is.
#include <charconv>

#include "core/api/node_stream.h"
#include "core/api/server_impl.h"
#include "core/api/verbs.h"

namespace lotse::api {
namespace {

bool flag(const Call& call, std::string_view name) {
  const std::string_view v = call.request.option(name);
  return v == "true" || v == "1";
}

Status read_command(const Call& call, const ObjectPtr& pod, MsgValue* arguments) {
  LOTSE_TRY(const std::string container, choose_container(pod, call.request.option("container")));
  arguments->set("container", container);
  const bool tty = flag(call, "tty");
  bool any = false;
  for (const std::string_view name : {"stdin", "stdout", "stderr"}) {
    const bool on = flag(call, name) && !(tty && name == "stderr");
    any |= on;
    arguments->set(name, on);
  }
  arguments->set("tty", tty);
  if (!any) return {Reason::kBadRequest, "you must specify at least 1 of stdin, stdout, stderr"};
  if (call.request.subresource == "attach") return {};
  MsgValue command = MsgValue::array();
  for (const auto part : call.request.option_values("command")) command.push(part);
  if (command.items().empty()) return {Reason::kBadRequest, "you must specify at least 1 command"};
  arguments->set("command", std::move(command));
  return {};
}

Status read_port(const Call& call, MsgValue* arguments) {
  for (const auto text : call.request.option_values("ports")) {
    int port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || port < 1 || port > 65535) {
      return {Reason::kBadRequest, "ports must be numbers between 1 and 65535"};
    }
    arguments->set("port", port);
  }
  return {};
}

}  // namespace

void connect(const CallPtr& call) {
  const auto pod = call->server.store().get(call->key());
  if (!pod.ok()) return call->fail(pod.status());
  auto arguments = pod_arguments(*pod);
  if (!arguments.ok()) return call->fail(arguments.status());
  const std::string kind = call->request.subresource;
  const std::string phase((*pod)->value()["status"]["phase"].str());
  if (phase == "Succeeded" || phase == "Failed") {
    return call->fail({Reason::kBadRequest, "cannot " + kind + " into a container in a completed pod; current phase is " + phase});
  }
  const bool ports = kind == "portforward";
  if (auto s = ports ? read_port(*call, &*arguments) : read_command(*call, *pod, &*arguments); !s.ok()) return call->fail(std::move(s));
  Nodes* nodes = call->server.nodes();
  const std::string node = (*pod)->header().node_name;
  if (!nodes || !nodes->connected(node)) return call->fail({Reason::kServiceUnavailable, "node " + node + " is not connected"});
  Response r;
  r.status = 101;
  r.upgrade = ports ? Upgrade::kPortForward : Upgrade::kChannels;
  r.stream = [nodes, node, kind, text = Bytes(arguments->encode())](SinkPtr sink) { return nodes->open(node, kind, text, std::move(sink)); };
  call->reply(std::move(r));
}

}  // namespace lotse::api
