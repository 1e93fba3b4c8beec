#include "tests/integration/rest/fake_api.h"

#include <lotse/stream.hpp>

#include "tests/integration/rest/fake_streams.h"

namespace lotse::fake {
namespace {

std::string text(lotse_bytes b) { return {static_cast<const char*>(b.data), b.size}; }
std::string quoted(lotse_bytes b) { return "\"" + text(b) + "\""; }

std::vector<std::string> options(const lotse_api_request& r, std::string_view name) {
  std::vector<std::string> out;
  for (size_t i = 0; i < r.option_count; ++i) {
    if (text(r.options[i].key) == name) out.push_back(text(r.options[i].value));
  }
  return out;
}
bool has(const lotse_api_request& r, std::string_view name) { return !options(r, name).empty(); }
int number(const lotse_api_request& r, std::string_view name, int otherwise) {
  const auto values = options(r, name);
  return values.empty() ? otherwise : std::stoi(values[0]);
}

std::string described(const lotse_api_request& r) {
  std::string out = "{\"verb\":" + std::to_string(r.verb) + ",\"group\":" + quoted(r.group) + ",\"resource\":" + quoted(r.resource) +
                    ",\"namespace\":" + quoted(r.ns) + ",\"name\":" + quoted(r.name) + ",\"subresource\":" + quoted(r.subresource) +
                    ",\"path\":" + quoted(r.path) + ",\"method\":" + quoted(r.method) + ",\"token\":" + quoted(r.token) +
                    ",\"content_type\":" + quoted(r.content_type) + ",\"remote\":" + quoted(r.remote_address) +
                    ",\"certificates\":" + std::to_string(r.certificate_count) + ",\"body\":" + std::to_string(r.body.size) + ",\"headers\":{";
  for (size_t i = 0; i < r.header_count; ++i) out += (i ? "," : "") + quoted(r.headers[i].key) + ":" + quoted(r.headers[i].value);
  return out + "}}";
}

const std::map<std::string, std::string>& paths() {
  static const std::map<std::string, std::string> all = {
      {"/healthz", "ok"},
      {"/version", R"({"major":"1","minor":"36","gitVersion":"v1.36.0+fake"})"},
      {"/api", R"({"kind":"APIVersions","versions":["v1"]})"},
      {"/apis", R"({"kind":"APIGroupList","apiVersion":"v1","groups":[]})"},
      {"/api/v1", R"({"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"pods","singularName":"","namespaced":true,"kind":"Pod","shortNames":["po"],"verbs":["get","list","watch"]}]})"}};
  return all;
}

constexpr const char* kPod =
    R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"demo","namespace":"default","uid":"1"},"spec":{"containers":[{"name":"main","image":"x"}]},"status":{"phase":"Running"}})";

}  // namespace

struct Api::Reply {
  lotse_api_reply reply;
  uint64_t id;
  std::string body;
  std::vector<lotse_pair> headers;
  bool wait = false;  // answer from another thread

  void send(uint32_t status, std::string_view type, std::string content, uint32_t streams = 0, uint32_t upgrade = 0) {
    auto* kept = new std::pair<std::string, lotse_bytes>(std::move(content), {});
    kept->second = {kept->first.data(), kept->first.size()};
    lotse_api_response response{};
    response.size = sizeof response;
    response.status = status;
    response.content_type = {type.data(), type.size()};
    response.headers = headers.data();
    response.header_count = headers.size();
    response.body = &kept->second;
    response.body_count = 1;
    response.release = [](void* ctx) { delete static_cast<std::pair<std::string, lotse_bytes>*>(ctx); };
    response.release_ctx = kept;
    response.streams = streams;
    response.upgrade = upgrade;
    if (!wait) return reply.respond(reply.ctx, &response, id);
    later([response, type = std::string(type), reply = reply, id = id]() mutable {
      response.content_type = {type.data(), type.size()};
      response.header_count = 0;
      reply.respond(reply.ctx, &response, id);
    });
  }
};

Api::Api(size_t configmaps, size_t bytes) {
  table_ = {sizeof table_, 0, this, submit, cancel, open};
  list_head_ = R"({"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[)";
  list_tail_ = "]}";
  for (size_t i = 0; i < configmaps; ++i) {
    std::string one = R"({"metadata":{"name":"c)" + std::to_string(i) + R"(","namespace":"default","resourceVersion":")" + std::to_string(i) + R"("},"data":{"k":")";
    while (one.size() + 4 < bytes) one += static_cast<char>('a' + (one.size() * 7 + i) % 26);
    configmaps_.push_back(one + "\"}}");
  }
  // As the store would hand it out: an item, a comma, a spliced revision.
  list_.push_back(sdk::bytes(list_head_));
  for (size_t i = 0; i < configmaps; ++i) {
    if (i > 0) list_.push_back(sdk::bytes(","));
    const size_t cut = 20;
    list_.push_back(sdk::bytes(std::string_view(configmaps_[i]).substr(0, cut)));
    list_.push_back(sdk::bytes(std::string_view(configmaps_[i]).substr(cut)));
  }
  list_.push_back(sdk::bytes(list_tail_));
}

uint64_t Api::submit(void* self, const lotse_api_request* request, const lotse_api_reply* reply) {
  auto* api = static_cast<Api*>(self);
  uint64_t id;
  {
    std::lock_guard<std::mutex> lock(api->mutex_);
    id = ++api->last_id_;
  }
  api->answer(*request, *reply, id);
  if (request->body.release) request->body.release(request->body.ctx);
  return id;
}

std::shared_ptr<sdk::Producer> Api::stream_for(const lotse_api_request& r, uint32_t* upgrade) {
  const std::string sub = text(r.subresource);
  *upgrade = LOTSE_UPGRADE_NONE;
  if (r.verb == LOTSE_VERB_WATCH) return make_events(number(r, "count", 3), static_cast<size_t>(number(r, "bytes", 10)), !has(r, "stay"));
  if (sub == "log") return make_process({"/bin/echo", "a line of log"}, false, false);
  if (r.verb != LOTSE_VERB_CONNECT) return nullptr;
  if (sub == "exec" || sub == "attach") {
    *upgrade = LOTSE_UPGRADE_CHANNELS;
    auto command = options(r, "command");
    if (command.empty()) command = {"cat"};
    return make_process(command, has(r, "stdin"), has(r, "tty"));
  }
  if (sub == "portforward") {
    *upgrade = LOTSE_UPGRADE_PORTFORWARD;
    return make_connection(static_cast<uint16_t>(number(r, "ports", 1)));
  }
  return nullptr;
}

void Api::answer(const lotse_api_request& r, const lotse_api_reply& to, uint64_t id) {
  const std::string resource = text(r.resource), json = "application/json";
  Reply reply{to, id, {}, {}, has(r, "async")};
  if (has(r, "etag")) reply.headers.push_back({sdk::bytes("ETag"), sdk::bytes("\"v1\"")});
  if (resource.empty()) {
    const auto found = paths().find(text(r.path));
    if (found == paths().end()) return reply.send(404, json, R"({"kind":"Status","status":"Failure","reason":"NotFound","code":404})");
    return reply.send(200, found->first == "/healthz" ? "text/plain" : json, found->second);
  }
  uint32_t upgrade = 0;
  if (auto stream = stream_for(r, &upgrade)) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      streams_[id] = std::move(stream);
    }
    return reply.send(200, r.verb == LOTSE_VERB_WATCH ? json : "text/plain", "", 1, upgrade);
  }
  if (resource == "echoes" || r.verb == LOTSE_VERB_CONNECT) return reply.send(r.verb == LOTSE_VERB_CREATE ? 201 : 200, json, described(r));
  if (resource == "pods" && text(r.name) == "demo") return reply.send(200, json, kPod);
  if (resource == "configmaps" && r.verb == LOTSE_VERB_GET && !configmaps_.empty()) return reply.send(200, json, configmaps_[0]);
  if (resource == "configmaps" && r.verb == LOTSE_VERB_LIST) {
    lotse_api_response response{};
    response.size = sizeof response;
    response.status = 200;
    response.content_type = sdk::bytes("application/json");
    response.body = list_.data();
    response.body_count = list_.size();
    return to.respond(to.ctx, &response, id);
  }
  reply.send(404, json, R"({"kind":"Status","status":"Failure","reason":"NotFound","code":404})");
}

void Api::cancel(void* self, uint64_t id) {
  auto* api = static_cast<Api*>(self);
  std::lock_guard<std::mutex> lock(api->mutex_);
  api->streams_.erase(id);
}

int32_t Api::open(void* self, uint64_t stream_id, const lotse_stream_sink* sink, lotse_stream* stream) {
  auto* api = static_cast<Api*>(self);
  std::shared_ptr<sdk::Producer> found;
  {
    std::lock_guard<std::mutex> lock(api->mutex_);
    const auto at = api->streams_.find(stream_id);
    if (at == api->streams_.end()) return LOTSE_NOT_FOUND;
    found = std::move(at->second);
    api->streams_.erase(at);
  }
  found->attach(*sink, stream);
  return LOTSE_OK;
}

}  // namespace lotse::fake
