#include "core/api/client.h"

#include <charconv>

namespace lotse::api {
namespace {

Request request_for(Verb verb, const ResourceRef& kind, std::string_view ns, std::string_view name, std::string_view subresource) {
  Request r;
  r.verb = verb;
  r.group = kind.group;
  r.version = kind.version;
  r.resource = kind.resource;
  r.ns = ns;
  r.name = name;
  r.subresource = subresource;
  r.accept = "application/json";
  return r;
}

void add_options(Request* r, const ListOptions& o) {
  const auto add = [&](std::string name, const std::string& value) {
    if (!value.empty()) r->options.emplace_back(std::move(name), value);
  };
  add("labelSelector", o.label_selector);
  add("fieldSelector", o.field_selector);
  add("resourceVersion", o.resource_version);
  add("continue", o.continue_token);
  if (o.limit > 0) r->options.emplace_back("limit", std::to_string(o.limit));
}

uint64_t number(std::string_view text) {
  uint64_t n = 0;
  std::from_chars(text.data(), text.data() + text.size(), n);
  return n;
}

Result<ObjectPtr> from_value(json::Value value) {
  if (!value.is_object()) return Status(Reason::kInternalError, "the server's answer is no object");
  const uint64_t revision = number(std::as_const(value)["metadata"]["resourceVersion"].str());
  return Object::from_value(std::move(value), revision);
}

// An object as the server sends it. Its bytes are canonical but for the spliced revision: mostly it is enough to take that out.
Result<ObjectPtr> from_text(std::string_view text) {
  constexpr std::string_view kKey = "\"resourceVersion\":\"";
  const size_t at = text.find(kKey);
  const size_t end = at == std::string_view::npos ? at : text.find('"', at + kKey.size());
  if (end != std::string_view::npos && text.starts_with("{\"apiVersion\":") && end + 1 < text.size()) {
    const uint64_t revision = number(text.substr(at + kKey.size(), end - at - kKey.size()));
    size_t from = at, to = end + 1;
    if (text[to] == ',') {
      ++to;
    } else if (from > 0 && text[from - 1] == ',') {
      --from;
    }
    auto object = Object::from_bytes(Bytes::join({text.substr(0, from), text.substr(to)}), revision);
    if (object.ok()) return object;
  }
  LOTSE_TRY(json::Value value, json::parse(text));
  return from_value(std::move(value));
}

Result<ObjectPtr> object_of(const Response& response) {
  LOTSE_CHECK_OK(status_of(response));
  return from_text(response.body.size() == 1 ? std::string(response.body[0].view()) : response.text());
}

Result<ObjectList> list_of(const Response& response) {
  LOTSE_CHECK_OK(status_of(response));
  LOTSE_TRY(json::Value value, json::parse(response.text()));
  ObjectList list;
  list.resource_version = std::as_const(value)["metadata"]["resourceVersion"].str();
  list.continue_token = std::as_const(value)["metadata"]["continue"].str();
  if (!std::as_const(value)["items"].is_array()) return list;
  list.items.reserve(value["items"].size());
  for (auto& item : value["items"].array_items()) {
    LOTSE_TRY(auto object, from_value(std::move(item)));
    list.items.push_back(std::move(object));
  }
  return list;
}

struct Parsed {
  WatchEvent event;
  Status error;  // of an ERROR event
};

Result<Parsed> parse_event(std::string_view text) {
  constexpr std::string_view kType = "{\"type\":\"", kObject = "\",\"object\":";
  std::string_view type, object;
  std::string rest;
  const size_t end = text.starts_with(kType) ? text.find(kObject) : std::string_view::npos;
  if (end != std::string_view::npos && text.ends_with('}')) {
    type = text.substr(kType.size(), end - kType.size());
    object = text.substr(end + kObject.size(), text.size() - end - kObject.size() - 1);
  } else {
    return Status(Reason::kInternalError, "a watch event cannot be read");
  }
  Parsed parsed;
  if (type == "ERROR") {
    Response r;
    r.status = 500;
    r.body.emplace_back(object);
    const auto code = json::parse(object);
    if (code.ok() && (*code)["code"].is_integer()) r.status = static_cast<int>((*code)["code"].integer());
    parsed.error = status_of(r);
    if (parsed.error.ok()) parsed.error = Status(Reason::kInternalError, "the watch failed");
    return parsed;
  }
  LOTSE_TRY(parsed.event.object, from_text(object));
  if (type == "ADDED") parsed.event.type = WatchEvent::Type::kAdded;
  else if (type == "MODIFIED") parsed.event.type = WatchEvent::Type::kModified;
  else if (type == "DELETED") parsed.event.type = WatchEvent::Type::kDeleted;
  else parsed.event.type = WatchEvent::Type::kBookmark;
  return parsed;
}

constexpr uint64_t kWatchWindow = 1u << 20;

// A watch of ours: everything but on_item and on_end, which only post, happens on the loop.
class ClientWatch : public StreamSink, public std::enable_shared_from_this<ClientWatch> {
 public:
  ClientWatch(Loop& loop, OnEvent event, OnEnd end) : loop_(loop), event_(std::move(event)), end_(std::move(end)) {}

  void answered(Response response) {
    if (closed_) return;
    if (auto status = status_of(response); !status.ok() || !response.stream) return finish(std::move(status));
    auto stream = response.stream(shared_from_this());
    if (!stream.ok()) return finish(stream.status());
    stream_ = *std::move(stream);
    stream_->grant(kWatchWindow);
  }
  void close() {
    closed_ = true;
    event_ = nullptr;
    end_ = nullptr;
    stream_.reset();
  }
  void on_item(uint32_t, Bytes item) override {
    loop_.post([self = shared_from_this(), item = std::move(item)] { self->take(item); });
  }
  void on_end(Status status, Bytes) override {
    loop_.post([self = shared_from_this(), status = std::move(status)] { self->finish(status); });
  }

 private:
  void take(const Bytes& item) {
    if (closed_) return;
    auto parsed = parse_event(item);
    if (!parsed.ok()) return finish(parsed.status());
    if (!parsed->error.ok()) return finish(parsed->error);
    const auto event = event_;  // he may close us from within
    event(std::move(parsed->event));
    if (stream_) stream_->grant(std::max<size_t>(item.size(), 1));
  }
  void finish(Status status) {
    if (closed_) return;
    const auto end = std::move(end_);
    close();
    if (end) end(std::move(status));
  }

  Loop& loop_;
  OnEvent event_;
  OnEnd end_;
  StreamPtr stream_;
  bool closed_ = false;
};

struct WatchHandleImpl : Handle::Impl {
  explicit WatchHandleImpl(std::shared_ptr<ClientWatch> w) : watch(std::move(w)) {}
  ~WatchHandleImpl() override { watch->close(); }
  std::shared_ptr<ClientWatch> watch;
};

}  // namespace

Client::Client(Handler& handler, Loop& loop, std::shared_ptr<const security::User> user, std::string user_agent)
    : handler_(handler), loop_(loop), user_(std::move(user)), user_agent_(std::move(user_agent)) {}

void Client::send(Request request, std::function<void(Response)> done) {
  request.user_agent = user_agent_;
  request.peer.trusted = user_;
  handler_.handle(std::move(request), [&loop = loop_, done = std::move(done)](Response response) {
    loop.post([response = std::move(response), done]() mutable { done(std::move(response)); });
  });
}

void Client::get(const ResourceRef& kind, std::string_view ns, std::string_view name, Done done) {
  send(request_for(Verb::kGet, kind, ns, name, {}), [done = std::move(done)](Response r) { done(object_of(r)); });
}

void Client::list(const ResourceRef& kind, std::string_view ns, const ListOptions& options, std::function<void(Result<ObjectList>)> done) {
  Request r = request_for(Verb::kList, kind, ns, {}, {});
  add_options(&r, options);
  send(std::move(r), [done = std::move(done)](Response response) { done(list_of(response)); });
}

Handle Client::watch(const ResourceRef& kind, std::string_view ns, const ListOptions& options, OnEvent event, OnEnd end) {
  Request r = request_for(Verb::kWatch, kind, ns, {}, {});
  add_options(&r, options);
  r.options.emplace_back("watch", "true");
  r.options.emplace_back("allowWatchBookmarks", "true");
  auto watch = std::make_shared<ClientWatch>(loop_, std::move(event), std::move(end));
  send(std::move(r), [watch](Response response) { watch->answered(std::move(response)); });
  return Handle(std::make_unique<WatchHandleImpl>(std::move(watch)));
}

void Client::create(const ResourceRef& kind, std::string_view ns, json::Value object, Done done, std::string_view subresource,
                    std::string_view name) {
  Request r = request_for(Verb::kCreate, kind, ns, name, subresource);
  r.body = json::write_bytes(object);
  r.content_type = "application/json";
  send(std::move(r), [done = std::move(done)](Response response) { done(object_of(response)); });
}

void Client::update(const ResourceRef& kind, std::string_view ns, json::Value object, Done done, std::string_view subresource) {
  Request r = request_for(Verb::kUpdate, kind, ns, std::as_const(object)["metadata"]["name"].str(), subresource);
  r.body = json::write_bytes(object);
  r.content_type = "application/json";
  send(std::move(r), [done = std::move(done)](Response response) { done(object_of(response)); });
}

void Client::patch(const ResourceRef& kind, std::string_view ns, std::string_view name, PatchType type, const json::Value& patch, Done done,
                   std::string_view subresource) {
  Request r = request_for(Verb::kPatch, kind, ns, name, subresource);
  r.body = json::write_bytes(patch);
  r.content_type = type == PatchType::kMerge  ? "application/merge-patch+json"
                   : type == PatchType::kJson ? "application/json-patch+json"
                                              : "application/strategic-merge-patch+json";
  send(std::move(r), [done = std::move(done)](Response response) { done(object_of(response)); });
}

void Client::remove(const ResourceRef& kind, std::string_view ns, std::string_view name, const json::Value& options, Done done) {
  Request r = request_for(Verb::kDelete, kind, ns, name, {});
  if (!options.is_null()) {
    r.body = json::write_bytes(options);
    r.content_type = "application/json";
  }
  send(std::move(r), [done = std::move(done)](Response response) { done(object_of(response)); });
}

}  // namespace lotse::api
