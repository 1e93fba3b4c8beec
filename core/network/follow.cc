#include "core/network/follow.h"

#include "core/base/log.h"

namespace lotse::network {
namespace {
constexpr Duration kFirst = std::chrono::milliseconds(200), kLast = std::chrono::seconds(30);
}

Follow::Follow(api::Client& client, api::ResourceRef kind, api::ListOptions options, Changed changed, std::function<void()> synced)
    : client_(client), kind_(std::move(kind)), options_(std::move(options)), changed_(std::move(changed)), synced_(std::move(synced)), wait_(kFirst) {}
Follow::~Follow() = default;

void Follow::start() { list(); }

void Follow::list() {
  client_.list(kind_, "", options_, [this, alive = std::weak_ptr<bool>(alive_)](Result<api::ObjectList> result) {
    if (alive.expired()) return;
    if (!result.ok()) return again(result.status());
    take(*result);
    watch(result->resource_version);
  });
}

void Follow::take(const api::ObjectList& list) {
  std::set<Name> now;
  for (const auto& object : list.items) {
    now.emplace(object->header().ns, object->header().name);
    changed_(object->header().ns, object->header().name, object);
  }
  for (const auto& [ns, name] : known_)
    if (!now.contains({ns, name})) changed_(ns, name, nullptr);
  known_ = std::move(now);
  if (synced_) synced_();
}

void Follow::watch(const std::string& revision) {
  api::ListOptions options = options_;
  options.resource_version = revision;
  watch_ = client_.watch(
      kind_, "", options,
      [this](api::WatchEvent event) {
        wait_ = kFirst;
        const auto& h = event.object->header();
        if (event.type == api::WatchEvent::Type::kBookmark) return;
        if (event.type == api::WatchEvent::Type::kDeleted) {
          known_.erase({h.ns, h.name});
          return changed_(h.ns, h.name, nullptr);
        }
        known_.emplace(h.ns, h.name);
        changed_(h.ns, h.name, event.object);
      },
      [this](Status status) { again(status); });
}

void Follow::again(const Status& why) {
  log::debug("network.list_again", "a watch has ended", {{"resource", kind_.resource}, {"reason", why.message}});
  timer_ = client_.loop().after(wait_, [this] { list(); });
  wait_ = std::min(wait_ * 2, kLast);
}

}  // namespace lotse::network
