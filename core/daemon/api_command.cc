#include "core/daemon/api_command.h"

#include <condition_variable>
#include <mutex>
#include <optional>

#include "core/base/run_on.h"
#include "core/security/identity.h"

namespace lotse::daemon {
namespace {

constexpr Duration kAnswerMax = std::chrono::seconds(60);

// Who may open the socket may read the administrator's key as well.
std::shared_ptr<const security::User> administrator() {
  auto user = std::make_shared<security::User>();
  user->name = "kubernetes-admin";
  user->groups = {std::string(security::kGroupMasters), std::string(security::kGroupAuthenticated)};
  return user;
}

// The items of an answer that comes as a stream, handed on as they arrive: a node's stats, a page behind a proxy.
class Collector : public StreamSink {
 public:
  void on_item(uint32_t channel, Bytes item) override {
    std::lock_guard lock(mutex_);
    if (channel == kStdout || channel == kStdin) text_ += item.view();
    if (stream_) stream_->grant(item.view().size());
  }
  void on_end(Status status, Bytes) override {
    std::lock_guard lock(mutex_);
    end_ = std::move(status);
    ready_.notify_one();
  }
  Result<std::string> read(const api::OpenStream& open, const SinkPtr& self) {
    LOTSE_TRY(StreamPtr stream, open(self));
    std::unique_lock lock(mutex_);
    stream_ = std::move(stream);
    stream_->grant(kStreamWindow);
    const bool in_time = ready_.wait_for(lock, kAnswerMax, [this] { return end_.has_value(); });
    stream = std::move(stream_);
    lock.unlock();
    stream.reset();
    if (!in_time) return Status(Reason::kTimeout, "the answer has not ended in time");
    LOTSE_CHECK_OK(*end_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  StreamPtr stream_;
  std::string text_;
  std::optional<Status> end_;
};

Result<api::Verb> verb_of(std::string_view name) {
  using api::Verb;
  for (Verb verb : {Verb::kGet, Verb::kList, Verb::kCreate, Verb::kPatch, Verb::kDelete, Verb::kConnect})
    if (name == api::verb_name(verb)) return verb;
  return Status(Reason::kBadRequest, "the verb '" + std::string(name) + "' cannot be asked for here");
}

}  // namespace

Status ask_api(Loop& loop, api::Handler& handler, const MsgValue& asked, ControlReply& reply) {
  api::Request request;
  LOTSE_TRY(request.verb, verb_of(asked["verb"].as_text()));
  request.group = asked["group"].as_text();
  request.version = asked["version"].as_text();
  request.resource = asked["resource"].as_text();
  request.ns = asked["namespace"].as_text();
  request.name = asked["name"].as_text();
  request.subresource = asked["subresource"].as_text();
  for (const auto& [key, value] : asked["options"].members()) request.options.emplace_back(key, std::string(value.as_text()));
  request.path = asked["path"].as_text();
  request.content_type = asked["content_type"].as_text();
  request.body = Bytes::take(std::string(asked["body"].as_text()));
  request.user_agent = "lotse";
  request.peer.trusted = administrator();
  auto answer = std::make_shared<std::optional<api::Response>>();
  const bool in_time = wait_for(loop, kAnswerMax, [&](std::function<void()> done) {
    handler.handle(std::move(request), [answer, done](api::Response response) {
      answer->emplace(std::move(response));
      done();
    });
  });
  if (!in_time) return Status(Reason::kTimeout, "the API has not answered in time");
  LOTSE_CHECK_OK(api::status_of(**answer));
  if ((**answer).stream) {
    auto collector = std::make_shared<Collector>();
    LOTSE_TRY(std::string text, collector->read((**answer).stream, collector));
    return reply.data(text) ? Status() : Status(Reason::kCancelled, "the command has gone");
  }
  for (const Bytes& part : (**answer).body)
    if (!reply.data(part.view())) return Status(Reason::kCancelled, "the command has gone");
  return {};
}

}  // namespace lotse::daemon
