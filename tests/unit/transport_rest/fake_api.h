// A host for tests of what talks to one: it answers at once or when told to, and keeps one stream.
#pragma once
#include <lotse/error.hpp>

#include <vector>

#include "plugins/transport_rest/door.h"

namespace lotse::transport_rest::testing {

// Tasks run when the test says so.
struct FakeExecutor : Executor {
  std::vector<std::function<void()>> tasks;
  void post(std::function<void()> task) override { tasks.push_back(std::move(task)); }
  bool is_here() const override { return true; }
  void run() {
    while (!tasks.empty()) {
      auto now = std::move(tasks);
      tasks.clear();
      for (auto& task : now) task();
    }
  }
};

// A host that answers with what it is told to, and keeps one stream. As every host it answers each request and ends each stream in the
// end; it is to be destroyed after who asked it, and the executor after both.
struct FakeApi {
  ~FakeApi() {
    for (const lotse_api_reply& late_one : unanswered) {
      lotse_api_response gone{};
      gone.size = sizeof gone;
      gone.status = 503;
      late_one.respond(late_one.ctx, &gone, 1);
    }
    for (const auto& stream : opened)
      if (!stream->released) stream->sink.on_end(stream->sink.ctx, LOTSE_CANCELLED, {});
  }
  lotse_host_api table{sizeof table, 0, this, submit, cancel, open};
  uint32_t verb = 0;
  std::string body = "{}", seen;
  bool streams = false, late = false, cancelled = false, released = false;
  lotse_api_reply reply{};
  lotse_stream_sink sink{};
  uint64_t granted = 0;
  std::string written;
  lotse_bytes part{};
  int bodies_released = 0;
  uint32_t status = 200, upgrade = LOTSE_UPGRADE_NONE;
  std::vector<lotse_pair> headers;
  int requests = 0;
  std::vector<lotse_api_reply> unanswered;
  struct Opened {
    FakeApi* api;
    lotse_stream_sink sink;
    bool released = false;
  };
  static FakeApi& of(void* stream) { return *static_cast<Opened*>(stream)->api; }
  std::vector<std::unique_ptr<Opened>> opened;

  void respond() {
    std::erase_if(unanswered, [this](const lotse_api_reply& r) { return r.ctx == reply.ctx; });
    part = sdk::bytes(body);
    lotse_api_response response{};
    response.size = sizeof response;
    response.status = status;
    response.content_type = sdk::bytes("application/json");
    response.body = &part;
    response.body_count = 1;
    response.release = [](void* ctx) { ++static_cast<FakeApi*>(ctx)->bodies_released; };
    response.release_ctx = this;
    response.headers = headers.data();
    response.header_count = headers.size();
    response.streams = streams;
    response.upgrade = upgrade;
    reply.respond(reply.ctx, &response, 1);
  }
  static uint64_t submit(void* self, const lotse_api_request* request, const lotse_api_reply* reply) {
    auto* api = static_cast<FakeApi*>(self);
    api->verb = request->verb;
    ++api->requests;
    for (size_t i = 0; i < request->option_count; ++i) {
      api->seen += std::string(sdk::view(request->options[i].key)) + "=" + std::string(sdk::view(request->options[i].value)) + ";";
    }
    if (request->body.release) request->body.release(request->body.ctx);
    api->reply = *reply;
    api->unanswered.push_back(*reply);
    if (!api->late) api->respond();
    return 1;
  }
  static void cancel(void* self, uint64_t) { static_cast<FakeApi*>(self)->cancelled = true; }
  static int32_t open(void* self, uint64_t, const lotse_stream_sink* sink, lotse_stream* stream) {
    auto& api = *static_cast<FakeApi*>(self);
    api.sink = *sink;
    api.opened.push_back(std::make_unique<Opened>(Opened{&api, *sink}));
    *stream = {sizeof *stream, 0, api.opened.back().get(),
               [](void* s, uint64_t n) { of(s).granted += n; },
               [](void* s, uint32_t, lotse_bytes b) -> int32_t { return of(s).written += sdk::view(b), LOTSE_OK; },
               [](void* s, uint32_t) { of(s).written += "$"; },
               [](void*, uint32_t, lotse_bytes) -> int32_t { return LOTSE_UNSUPPORTED; },
               [](void* s) { of(s).cancelled = true; },
               [](void* s) { static_cast<Opened*>(s)->released = of(s).released = true; }};
    return LOTSE_OK;
  }
};

}  // namespace lotse::transport_rest::testing
