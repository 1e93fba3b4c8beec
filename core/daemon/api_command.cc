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

// Hands on what comes as a stream (a watch, a node's stats) as it comes; a watch's events with a line each. What is under way is no more than
// the credit.
class Forward : public StreamSink {
 public:
  explicit Forward(bool lines) : lines_(lines) {}
  void on_item(uint32_t channel, Bytes item) override {
    std::lock_guard lock(mutex_);
    if (channel == kStdout || channel == kStdin) text_ += item.view();
    if (lines_) text_ += '\n';
    news_.notify_one();
  }
  void on_end(Status status, Bytes) override { finish(std::move(status)); }
  void finish(Status status) {
    std::lock_guard lock(mutex_);
    if (!end_) end_ = std::move(status);
    news_.notify_one();
  }
  // [worker]
  Status run(Stream& stream, ControlReply& reply) {
    stream.grant(kStreamWindow);
    while (true) {
      std::string text;
      {
        std::unique_lock lock(mutex_);
        if (!news_.wait_for(lock, kAnswerMax, [this] { return end_ || !text_.empty(); })) return Status(Reason::kTimeout, "the answer has not ended in time");
        text.swap(text_);
        if (text.empty()) return *end_;
      }
      if (!reply.data(text)) return Status(Reason::kCancelled, "the command has gone, or lotsed ends");
      stream.grant(text.size());
    }
  }

 private:
  const bool lines_;
  std::mutex mutex_;
  std::condition_variable news_;
  std::string text_;
  std::optional<Status> end_;
};

Result<api::Verb> verb_of(std::string_view name) {
  using api::Verb;
  for (Verb verb : {Verb::kGet, Verb::kList, Verb::kCreate, Verb::kPatch, Verb::kDelete, Verb::kWatch, Verb::kConnect})
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
  const bool lines = request.verb == api::Verb::kWatch;
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
    auto forward = std::make_shared<Forward>(lines);
    reply.when_ending([forward] { forward->finish(Status(Reason::kServiceUnavailable, "lotsed ends")); });
    LOTSE_TRY(StreamPtr stream, (**answer).stream(forward));
    return forward->run(*stream, reply);
  }
  for (const Bytes& part : (**answer).body)
    if (!reply.data(part.view())) return Status(Reason::kCancelled, "the command has gone");
  return {};
}

}  // namespace lotse::daemon
