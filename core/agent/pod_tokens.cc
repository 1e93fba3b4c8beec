#include "core/agent/pod_tokens.h"

namespace lotse::agent {
namespace {
constexpr Duration kRetryFirst = std::chrono::seconds(1), kRetryMost = std::chrono::minutes(1);
}

WallTime token_renewal(WallTime issued, WallTime expires) {
  return issued + std::min<Duration>((expires - issued) / 5 * 4, std::chrono::hours(24));
}

struct PodTokens::State : std::enable_shared_from_this<State> {
  api::Client& client;
  Loop& loop;
  Pod pod;
  std::function<void()> changed;
  std::function<void(std::string)> failed;
  Tokens tokens;
  std::map<TokenKey, Handle> timers;
  std::map<TokenKey, Duration> delays;

  State(api::Client& c, Loop& l, Pod p, std::function<void()> ch, std::function<void(std::string)> f)
      : client(c), loop(l), pod(std::move(p)), changed(std::move(ch)), failed(std::move(f)) {}

  json::Value request(const TokenKey& key) const {
    auto spec = json::Value::object({{"expirationSeconds", key.expiration_s}});
    auto audiences = json::Value::array();
    if (!key.audience.empty()) audiences.push(key.audience);
    spec.set("audiences", std::move(audiences));
    spec.set("boundObjectRef",
             json::Value::object({{"kind", "Pod"}, {"apiVersion", "v1"}, {"name", pod.name}, {"uid", pod.uid}}));
    return json::Value::object(
        {{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenRequest"}, {"spec", std::move(spec)}});
  }

  void ask(const TokenKey& key) {
    client.create(
        {"", "v1", "serviceaccounts"}, pod.ns, request(key),
        [weak = weak_from_this(), key](Result<ObjectPtr> answer) {
          if (auto self = weak.lock()) self->take(key, std::move(answer));
        },
        "token", pod.service_account);
  }

  void later(const TokenKey& key, Duration delay) {
    timers[key] = loop.after(delay, [weak = weak_from_this(), key] {
      if (auto self = weak.lock()) self->ask(key);
    });
  }

  void take(const TokenKey& key, Result<ObjectPtr> answer) {
    if (!answer.ok()) {
      auto& delay = delays[key];
      delay = delay == Duration(0) ? kRetryFirst : std::min(delay * 2, kRetryMost);
      later(key, delay);
      if (!tokens.contains(key)) failed("failed to fetch token: " + answer.status().message);
      return;
    }
    delays.erase(key);
    const json::Value doc = (*answer)->value();
    auto now = loop.clock().now();
    auto expires = parse_time(doc["status"]["expirationTimestamp"].str());
    auto until = expires.ok() ? *expires : now + std::chrono::seconds(key.expiration_s);
    tokens[key] = std::string(doc["status"]["token"].str());
    later(key, std::max<Duration>(token_renewal(now, until) - now, kRetryFirst));
    changed();
  }
};

PodTokens::PodTokens(api::Client& client, Loop& loop, Pod pod, std::vector<TokenKey> keys,
                     std::function<void()> changed, std::function<void(std::string)> failed)
    : state_(std::make_shared<State>(client, loop, std::move(pod), std::move(changed), std::move(failed))) {
  for (const auto& key : keys) state_->ask(key);
}
PodTokens::~PodTokens() { state_->timers.clear(); }
const Tokens& PodTokens::tokens() const { return state_->tokens; }

}  // namespace lotse::agent
