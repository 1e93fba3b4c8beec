#include "plugins/transport_zmq/wire_message.h"

#include <array>

namespace lotse::transport_zmq {
namespace {

using sdk::Failure;
using sdk::Msg;

constexpr std::pair<std::string_view, Op> kOps[] = {{"request", Op::kRequest}, {"grant", Op::kGrant},   {"write", Op::kWrite},
                                                    {"half_close", Op::kHalfClose}, {"resize", Op::kResize}, {"cancel", Op::kCancel}};
constexpr std::pair<std::string_view, uint32_t> kVerbs[] = {
    {"get", LOTSE_VERB_GET}, {"list", LOTSE_VERB_LIST}, {"watch", LOTSE_VERB_WATCH}, {"create", LOTSE_VERB_CREATE}, {"update", LOTSE_VERB_UPDATE},
    {"patch", LOTSE_VERB_PATCH}, {"delete", LOTSE_VERB_DELETE}, {"deletecollection", LOTSE_VERB_DELETECOLLECTION}, {"connect", LOTSE_VERB_CONNECT}};
constexpr size_t kDepthMax = 4, kValuesMax = 4096;

const Msg::Map& members(const Msg& map, std::string_view key) {
  static const Msg::Map none;
  if (!map.has(key)) return none;
  if (!map[key].is_map()) throw Failure(LOTSE_INVALID, "\"" + std::string(key) + "\" must be a map");
  return map[key].members();
}

uint32_t verb_of(const std::string& name) {
  for (const auto& [text, verb] : kVerbs) {
    if (text == name) return verb;
  }
  throw Failure(LOTSE_INVALID, "unknown verb \"" + name.substr(0, 32) + "\"");
}

lotse_owned owned(std::string body) {
  if (body.empty()) return {};
  auto* kept = new std::string(std::move(body));
  return {kept->data(), kept->size(), [](void* ctx) { delete static_cast<std::string*>(ctx); }, kept};
}

}  // namespace

ClientMessage read_message(std::string_view head, std::string body) {
  ClientMessage message;
  message.map = Msg::parse(head, kDepthMax, kValuesMax);
  if (!message.map.is_map()) throw Failure(LOTSE_INVALID, "a message is a MessagePack map");
  if (!message.map["id"].is_int()) throw Failure(LOTSE_INVALID, "\"id\" must be an integer");
  message.id = message.map["id"].as_int();
  const std::string op = message.map["op"].str();
  for (const auto& [name, value] : kOps) {
    if (name != op) continue;
    message.op = value;
    message.body = std::move(body);
    return message;
  }
  throw Failure(LOTSE_INVALID, "unknown op \"" + op.substr(0, 32) + "\"");
}

void hand_over(ClientMessage& message, const std::string& remote_address, const std::function<void(const lotse_api_request&)>& fn) {
  const Msg& map = message.map;
  constexpr std::array kTexts = {"group", "version", "resource", "namespace", "name", "subresource", "path", "method", "content_type", "accept", "user_agent", "token"};
  std::array<std::string, kTexts.size()> text;
  for (size_t i = 0; i < kTexts.size(); ++i) text[i] = map[kTexts[i]].str();
  std::vector<std::string> kept;  // values that the pairs point to
  std::vector<lotse_pair> options, headers;
  kept.reserve(kValuesMax);
  const auto add = [&kept](std::vector<lotse_pair>& to, std::string_view key, std::string value) {
    kept.push_back(std::move(value));
    to.push_back({sdk::bytes(key), sdk::bytes(kept.back())});
  };
  for (const auto& [name, value] : members(map, "options")) {
    if (!value.is_array()) add(options, name, value.str());
    else for (const auto& one : value.as_strings()) add(options, name, one);
  }
  for (const auto& [name, value] : members(map, "headers")) add(headers, name, value.str());

  lotse_api_request out{};
  out.size = sizeof out;
  out.verb = verb_of(map["verb"].str());
  lotse_bytes* const fields[] = {&out.group, &out.version, &out.resource, &out.ns, &out.name, &out.subresource,
                                 &out.path, &out.method, &out.content_type, &out.accept, &out.user_agent, &out.token};
  for (size_t i = 0; i < kTexts.size(); ++i) *fields[i] = sdk::bytes(text[i]);
  if (out.resource.size == 0 && out.path.size == 0) throw Failure(LOTSE_INVALID, "a request names a resource or a path");
  out.options = options.data();
  out.option_count = options.size();
  out.headers = headers.data();
  out.header_count = headers.size();
  out.remote_address = sdk::bytes(remote_address);
  if (const int64_t ms = map["deadline_ms"].as_int(); ms > 0 && ms < 86'400'000) {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    out.deadline_ns = int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec + ms * 1'000'000;
  }
  out.body = owned(std::move(message.body));
  fn(out);
}

std::string response_head(int64_t id, const transport_rest::Answer& answer) {
  Msg headers = Msg::map();
  for (const auto& [name, value] : answer.headers) headers.set(name, value);
  return Msg::map({{"id", id}, {"op", "response"}, {"status", answer.status}, {"content_type", answer.content_type}, {"headers", headers},
                   {"stream", answer.streams}}).encode();
}

std::string item_head(int64_t id, uint32_t channel) { return Msg::map({{"id", id}, {"op", "item"}, {"channel", channel}}).encode(); }
std::string writable_head(int64_t id, uint64_t bytes) { return Msg::map({{"id", id}, {"op", "writable"}, {"bytes", bytes}}).encode(); }

std::string end_head(int64_t id, int32_t code, std::string_view payload) {
  Msg map = Msg::map({{"id", id}, {"op", "end"}, {"code", code}});
  if (code == LOTSE_OK) map.set("result", Msg::bin(payload));
  else map.set("message", std::string(payload));
  return map.encode();
}

std::string error_head(std::optional<int64_t> id, std::string_view sentence) {
  Msg map = Msg::map({{"op", "error"}, {"message", std::string(sentence)}});
  if (id) map.set("id", *id);
  return map.encode();
}

std::string ping_head() { return Msg::map({{"op", "ping"}}).encode(); }

}  // namespace lotse::transport_zmq
