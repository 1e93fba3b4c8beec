#include "plugins/engine_http/image_pull.h"

#include <openssl/evp.h>

namespace lotse::engine_http {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kReadyNs = 60 * kSecond, kPullNs = 24 * 3600 * kSecond, kShortNs = 30 * kSecond;
constexpr size_t kLineMax = 1 << 20;

bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

// Registries' answers come as sentences only.
int32_t code_of(const std::string& why) {
  if (has(why, "manifest unknown") || has(why, "not found") || has(why, "name unknown")) return LOTSE_NOT_FOUND;
  if (has(why, "unauthorized") || has(why, "denied") || has(why, "authentication required")) return LOTSE_DENIED;
  return LOTSE_UNAVAILABLE;
}

std::string image_path(const std::string& name) {
  return "/images/" + percent_encode(name);
}

class PullStream : public sdk::Producer {
 public:
  PullStream(HttpEngine& engine, PullSource source, std::string auth)
      : Producer(engine.executor()), engine_(engine), source_(std::move(source)), auth_(std::move(auth)) {}

 protected:
  void on_open() override {
    engine_.reactor.post([self = shared()] {
      self->engine_.add(self, [self] { self->stop(LOTSE_CANCELLED, "the plugin is being stopped"); });
      self->engine_.spawn_step([self] { return self->run(); });
    });
  }
  void on_cancel() override {
    engine_.reactor.post([self = shared()] { self->stop(LOTSE_CANCELLED, "cancelled"); });
  }

 private:
  std::shared_ptr<PullStream> shared() { return std::static_pointer_cast<PullStream>(shared_from_this()); }

  Co<Done> run() {
    auto self = shared();
    std::string advice;
    try {
      co_await engine_.ready(Reactor::now_ns() + kReadyNs);
      advice = co_await engine_.trust(source_, Reactor::now_ns() + kReadyNs);
      bool keep = false;  // the mirror's name, which somebody else has asked for
      if (source_.is_mirror()) {
        auto before =
            co_await engine_.try_call("GET", image_path(source_.name) + "/json", Reactor::now_ns() + kShortNs);
        keep = before.ok();
      }
      if (done_) co_return Done{};
      co_await pull();
      if (!done_ && source_.is_mirror()) co_await give_name(keep);
      if (done_) co_return Done{};
      std::string wanted = progress_.id().empty() ? source_.image : progress_.id();
      if (wanted.find('@') != std::string::npos && source_.is_mirror()) wanted = tag_of_digest(wanted);
      auto found = co_await engine_.call("GET", image_path(wanted) + "/json", Reactor::now_ns() + kShortNs);
      if (done_) co_return Done{};
      done_ = true;
      end(Msg::map({{"id", image_answer(found.json(), "")["id"]}}));
      engine_.remove(this);
    } catch (...) {
      auto caught = sdk::caught("image_pull");
      stop(caught.code, caught.sentence + advice);
    }
    co_return Done{};
  }

  // An engine cannot be told that an image has a digest in another registry: a tag stands for it (see image_status).
  Co<Done> give_name(bool keep_other) {
    int64_t deadline = Reactor::now_ns() + kShortNs;
    std::string own = source_.image.find('@') == std::string::npos ? source_.image : tag_of_digest(source_.image);
    size_t colon = own.rfind(':');
    std::string query =
        "/tag?repo=" + percent_encode(own.substr(0, colon)) + "&tag=" + percent_encode(own.substr(colon + 1));
    co_await engine_.call("POST", image_path(source_.name) + query, deadline);
    if (keep_other) co_return Done{};
    auto gone = co_await engine_.try_call("DELETE", image_path(source_.name), deadline);
    if (!gone.ok() && gone.code() != LOTSE_NOT_FOUND) gone.failure().raise();
    co_return Done{};
  }

  Co<Done> pull() {
    HttpRequest request = engine_.api.request("POST", engine_.dialect->pull_path(source_));
    if (!auth_.empty()) request.headers.emplace_back("X-Registry-Auth", auth_);
    std::weak_ptr<PullStream> weak = shared();
    Callback<Verdict> whole([&](std::function<void(Verdict)> ended) {
      HttpHandler handler;
      handler.on_head = [weak](int status, bool) {
        if (auto self = weak.lock()) self->status_ = status;
      };
      handler.on_body = [weak](std::string_view piece) {
        if (auto self = weak.lock()) self->received(piece);
      };
      ended_ = std::move(ended);
      handler.on_end = [weak](const Verdict& verdict) {
        auto self = weak.lock();
        if (!self) return;
        if (auto tell = std::exchange(self->ended_, nullptr)) tell(verdict);
      };
      exchange_ = engine_.api.start(std::move(request), std::move(handler), Reactor::now_ns() + kPullNs);
    });
    Verdict verdict = co_await whole;
    if (done_) co_return Done{};
    if (!verdict.ok()) verdict.failure().raise();
    if (status_ >= 400) {
      Failure failure = failure_of({status_, line_});
      if (failure.code == LOTSE_UNKNOWN) failure.code = code_of(failure.message);
      failure.raise();
    }
    received("\n");
    if (!progress_.error().empty()) throw sdk::Failure(code_of(progress_.error()), progress_.error());
    co_return Done{};
  }

  void received(std::string_view piece) {
    line_.append(piece);
    if (status_ >= 400) return;
    size_t at;
    bool news = false;
    while ((at = line_.find('\n')) != std::string::npos) {
      news |= progress_.take(Json::parse(line_.substr(0, at)));
      line_.erase(0, at + 1);
    }
    if (line_.size() > kLineMax) line_.clear();
    // Without credit this one is left out: the next one tells more.
    if (news) send(LOTSE_STDIN, Msg::map({{"done", progress_.done()}, {"total", progress_.total()}}).encode());
  }

  void stop(int32_t code, std::string_view sentence) {
    if (done_) return;
    done_ = true;
    fail(code, sentence);
    if (exchange_) exchange_->close();
    if (auto tell = std::exchange(ended_, nullptr)) engine_.reactor.post([tell] { tell(Done{}); });
    engine_.remove(this);
  }

  HttpEngine& engine_;
  const PullSource source_;
  const std::string auth_;
  std::shared_ptr<HttpExchange> exchange_;
  std::function<void(Verdict)> ended_;
  PullProgress progress_;
  std::string line_;
  int status_ = 0;
  bool done_ = false;
};

}  // namespace

bool PullProgress::take(const Json& line) {
  if (auto why = line["errorDetail"]["message"].text(); !why.empty()) error_ = why;
  if (auto why = line["error"].text(); !why.empty()) error_ = why;  // the last one is the one that counts
  if (auto ids = line["images"].items(); !ids.empty()) id_ = ids.front().text();
  int64_t total = line["progressDetail"]["total"].number();
  std::string layer = line["id"].text();
  if (total <= 0 || layer.empty() || line["status"].text() == "Extracting") return false;
  Layer& known = layers_[layer];
  Layer before = known;
  known = {line["progressDetail"]["current"].number(), total};
  return before.done != known.done || before.total != known.total;
}

int64_t PullProgress::done() const {
  int64_t sum = 0;
  for (auto& [id, layer] : layers_) sum += layer.done;
  return sum;
}

int64_t PullProgress::total() const {
  int64_t sum = 0;
  for (auto& [id, layer] : layers_) sum += layer.total;
  return sum;
}

std::string registry_auth(const Msg& auth) {
  if (auth.members().empty()) return {};
  Msg out = Msg::map();
  constexpr const char* kNames[][2] = {{"username", "username"},
                                       {"password", "password"},
                                       {"identity_token", "identitytoken"},
                                       {"registry_token", "registrytoken"},
                                       {"server", "serveraddress"}};
  for (auto& [ours, theirs] : kNames) {
    if (auto text = get_text(auth, ours); !text.empty()) out.set(theirs, text);
  }
  std::string text = json_text(out), encoded((text.size() + 2) / 3 * 4 + 1, '\0');
  int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                             reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  encoded.resize(static_cast<size_t>(size));
  for (char& c : encoded) c = c == '+' ? '-' : c == '/' ? '_' : c;  // the alphabet for URLs
  return encoded;
}

sdk::ProducerPtr open_pull(HttpEngine& engine, const Msg& request) {
  return std::make_shared<PullStream>(engine, pull_source(request), registry_auth(get_map(request, "auth")));
}

}  // namespace lotse::engine_http
