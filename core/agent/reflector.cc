#include "core/agent/reflector.h"

namespace lotse::agent {
namespace {
constexpr Duration kFirst = std::chrono::milliseconds(200), kMost = std::chrono::seconds(30);
}

struct Reflector::State : std::enable_shared_from_this<State> {
  api::Client& client;
  Loop& loop;
  Source source;
  Replace replace;
  Changed changed;
  std::string revision;
  Duration delay{0};
  Handle timer, watching;
  bool closed = false;

  State(api::Client& c, Loop& l, Source s, Replace r, Changed ch)
      : client(c), loop(l), source(std::move(s)), replace(std::move(r)), changed(std::move(ch)) {}

  api::ListOptions options() const {
    api::ListOptions o;
    o.label_selector = source.label_selector;
    o.field_selector = source.field_selector;
    return o;
  }

  void retry() {
    delay = delay == Duration(0) ? kFirst : std::min(delay * 2, kMost);
    timer = loop.after(delay, [weak = weak_from_this()] {
      auto self = weak.lock();
      if (!self || self->closed) return;
      if (self->revision.empty()) self->list();
      else self->watch();
    });
  }

  void list() {
    client.list(source.kind, source.ns, options(), [weak = weak_from_this()](Result<api::ObjectList> answer) {
      auto self = weak.lock();
      if (!self || self->closed) return;
      if (!answer.ok()) return self->retry();
      self->delay = Duration(0);
      self->revision = answer->resource_version;
      self->replace(std::move(answer->items));
      if (!self->closed) self->watch();
    });
  }

  void watch() {
    auto o = options();
    o.resource_version = revision;
    auto weak = weak_from_this();
    watching = client.watch(
        source.kind, source.ns, o,
        [weak](api::WatchEvent event) {
          auto self = weak.lock();
          if (self && !self->closed) self->take(std::move(event));
        },
        [weak](Status status) {
          auto self = weak.lock();
          if (self && !self->closed) self->ended(status);
        });
  }

  void take(api::WatchEvent event) {
    delay = Duration(0);
    if (event.object && event.object->revision() != 0) revision = std::to_string(event.object->revision());
    if (event.type == api::WatchEvent::Type::kBookmark || !event.object) return;
    changed(std::move(event.object), event.type == api::WatchEvent::Type::kDeleted);
  }

  void ended(const Status& status) {
    if (status.reason == Reason::kExpired || status.reason == Reason::kGone) revision.clear();
    retry();
  }
};

Reflector::Reflector(api::Client& client, Loop& loop, Source source, Replace replace, Changed changed)
    : state_(std::make_shared<State>(client, loop, std::move(source), std::move(replace), std::move(changed))) {}

Reflector::~Reflector() {
  state_->closed = true;
  state_->watching.reset();
  state_->timer.reset();
}

void Reflector::start() { state_->list(); }

}  // namespace lotse::agent
