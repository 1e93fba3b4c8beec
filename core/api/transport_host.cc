#include "core/api/transport_host.h"

#include <mutex>
#include <unordered_map>

#include "core/plugin/code.h"
#include "core/plugin/stream.h"

namespace lotse::api {
namespace {

std::string text(lotse_bytes b) { return {static_cast<const char*>(b.data), b.size}; }

struct HeldBody {
  void (*release)(void*);
  void* ctx;
};

Bytes take_body(const lotse_owned& body) {
  const std::string_view view(static_cast<const char*>(body.data), body.size);
  if (view.empty()) {
    if (body.release) body.release(body.ctx);
    return {};
  }
  const auto release = [](void* ctx) {
    const std::unique_ptr<HeldBody> held(static_cast<HeldBody*>(ctx));
    if (held->release) held->release(held->ctx);
  };
  return Bytes::adopt(view, release, new HeldBody{body.release, body.ctx});
}

Request to_request(const lotse_api_request& in) {
  Request r;
  r.verb = in.verb >= 1 && in.verb <= 13 ? static_cast<Verb>(in.verb) : Verb::kOptions;
  r.group = text(in.group);
  r.version = text(in.version);
  r.resource = text(in.resource);
  r.ns = text(in.ns);
  r.name = text(in.name);
  r.subresource = text(in.subresource);
  r.path = text(in.path);
  r.method = text(in.method);
  for (size_t i = 0; i < in.option_count; ++i) r.options.emplace_back(text(in.options[i].key), text(in.options[i].value));
  r.content_type = text(in.content_type);
  r.accept = text(in.accept);
  r.user_agent = text(in.user_agent);
  for (size_t i = 0; i < in.header_count; ++i) r.headers.emplace_back(text(in.headers[i].key), text(in.headers[i].value));
  r.peer.token = text(in.token);
  for (size_t i = 0; i < in.certificate_count; ++i) r.peer.certificates.push_back(text(in.certificates[i]));
  r.peer.remote_address = text(in.remote_address);
  r.body = take_body(in.body);
  if (in.deadline_ns) r.deadline = SteadyTime(std::chrono::nanoseconds(in.deadline_ns));
  return r;
}

// A body that is being sent: held until the transport has released it.
struct Sent {
  Response response;
  std::vector<lotse_bytes> parts;
};

}  // namespace

struct TransportHost::Impl : std::enable_shared_from_this<TransportHost::Impl> {
  Handler& handler;
  lotse_host_api api{};
  std::mutex mutex;
  uint64_t next_id = 1;
  // Answers whose stream has not been opened yet, by the id of their request, and requests that were given up before they were answered.
  std::unordered_map<uint64_t, OpenStream> waiting;
  std::unordered_map<uint64_t, bool> under_way;  // -> cancelled

  explicit Impl(Handler& h) : handler(h) {}

  uint64_t submit(const lotse_api_request& in, const lotse_api_reply& reply) {
    uint64_t id = 0;
    {
      std::lock_guard lock(mutex);
      id = next_id++;
      under_way.emplace(id, false);
    }
    handler.handle(to_request(in), [self = shared_from_this(), id, reply](Response response) {
      self->answer(id, reply, std::move(response));
    });
    return id;
  }

  void answer(uint64_t id, const lotse_api_reply& reply, Response response) {
    {
      std::lock_guard lock(mutex);
      const auto it = under_way.find(id);
      const bool cancelled = it == under_way.end() || it->second;
      if (it != under_way.end()) under_way.erase(it);
      if (cancelled) response.stream = nullptr;  // nobody will open it
      if (response.stream) waiting.emplace(id, response.stream);
    }
    auto* sent = new Sent{std::move(response), {}};
    for (const auto& part : sent->response.body) sent->parts.push_back(plugin::bytes(part.view()));
    std::vector<lotse_pair> headers;
    for (const auto& [name, value] : sent->response.headers) headers.push_back({plugin::bytes(name), plugin::bytes(value)});
    lotse_api_response out{};
    out.size = sizeof(out);
    out.status = static_cast<uint32_t>(sent->response.status);
    out.content_type = plugin::bytes(sent->response.content_type);
    out.headers = headers.data();
    out.header_count = headers.size();
    out.body = sent->parts.data();
    out.body_count = sent->parts.size();
    out.release = [](void* ctx) { delete static_cast<Sent*>(ctx); };
    out.release_ctx = sent;
    out.streams = sent->response.stream ? 1 : 0;
    out.upgrade = static_cast<uint32_t>(sent->response.upgrade);
    reply.respond(reply.ctx, &out, id);
  }

  void cancel(uint64_t id) {
    OpenStream dropped;
    std::lock_guard lock(mutex);
    if (const auto it = under_way.find(id); it != under_way.end()) it->second = true;
    if (const auto it = waiting.find(id); it != waiting.end()) {
      dropped = std::move(it->second);
      waiting.erase(it);
    }
  }

  int32_t open(uint64_t id, const lotse_stream_sink* sink, lotse_stream* stream) {
    OpenStream open;
    {
      std::lock_guard lock(mutex);
      const auto it = waiting.find(id);
      if (it == waiting.end()) return LOTSE_NOT_FOUND;
      open = std::move(it->second);
      waiting.erase(it);
    }
    lotse_error error = plugin::make_error();
    return plugin::serve_stream(open, sink, stream, &error);
  }
};

TransportHost::TransportHost(Handler& handler) : impl_(std::make_shared<Impl>(handler)) {
  lotse_host_api& api = impl_->api;
  api.size = sizeof(api);
  api.self = impl_.get();
  api.submit = [](void* self, const lotse_api_request* request, const lotse_api_reply* reply) {
    return static_cast<Impl*>(self)->submit(*request, *reply);
  };
  api.cancel = [](void* self, uint64_t id) { static_cast<Impl*>(self)->cancel(id); };
  api.open = [](void* self, uint64_t id, const lotse_stream_sink* sink, lotse_stream* stream) {
    return static_cast<Impl*>(self)->open(id, sink, stream);
  };
}

TransportHost::~TransportHost() = default;

const lotse_host_api* TransportHost::raw() const { return &impl_->api; }

void TransportHost::offer(plugin::Host& host) { host.offer(LOTSE_HOST_API, raw()); }

}  // namespace lotse::api
