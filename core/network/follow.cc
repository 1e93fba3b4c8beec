#include "core/network/follow.h"

#include "core/base/log.h"

namespace lotse::network {
namespace {
constexpr Duration kFirst = std::chrono::milliseconds(200), kLast = std::chrono::seconds(30);
}

Follow::Follow(api::Client& client, api::ResourceRef kind, api::ListOptions options, Changed changed, std::function<void()> synced)
    : client_(client), kind_(std::move(kind)), options_(std::move(options)), changed_(std::move(changed)), synced_(std::move(synced)), wait_(kFirst) {}
Follow::~Follow() = default;

void Follow::preset(const std::vector<ObjectPtr>& objects) {
  for (const auto& object : objects) {
    known_[{object->header().ns, object->header().name}] = object;
    changed_(object->header().ns, object->header().name, object);
  }
}

void Follow::start() { list(); }

void Follow::stop() {
  alive_.reset();
  watch_.reset();
  timer_.reset();
}

std::vector<ObjectPtr> Follow::objects() const {
  std::vector<ObjectPtr> out;
  out.reserve(known_.size());
  for (const auto& [name, object] : known_) out.push_back(object);
  return out;
}

void Follow::list() {
  client_.list(kind_, "", options_, [this, alive = std::weak_ptr<bool>(alive_)](Result<api::ObjectList> result) {
    if (alive.expired()) return;
    if (!result.ok()) return again(result.status());
    take(*result);
    watch(result->resource_version);
  });
}

void Follow::take(const api::ObjectList& list) {
  std::map<Name, ObjectPtr> before;
  before.swap(known_);
  for (const auto& object : list.items) known_[{object->header().ns, object->header().name}] = object;
  for (const auto& [name, object] : known_) changed_(name.first, name.second, object);
  for (const auto& [name, object] : before)
    if (!known_.contains(name)) changed_(name.first, name.second, nullptr);
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
        known_[{h.ns, h.name}] = event.object;
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
