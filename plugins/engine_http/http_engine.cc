#include "plugins/engine_http/http_engine.h"

namespace lotse::engine_http {

HttpEngine::HttpEngine(const sdk::Host& h, EngineSettings s, std::unique_ptr<Dialect> d)
    : EngineCore(h, s.name.c_str()),
      settings(std::move(s)),
      dialect(std::move(d)),
      api(reactor, settings.socket, settings.prefix),
      cni(reactor, settings.data_dir + "/sandboxes", settings.cni_bin_dir),
      hub(*this) {}

bool is_full_id(const std::string& id) {
  if (id.size() < 12 || id.size() > 128) return false;
  return id.find_first_not_of("0123456789abcdef") == std::string::npos;
}

Co<Done> HttpEngine::before_start(ContainerFacts, int64_t) {
  co_return Done{};
}

Co<Done> HttpEngine::after_start(std::string, int64_t) {
  co_return Done{};
}

Co<Done> HttpEngine::update(ContainerFacts, Resources, int64_t) {
  throw sdk::Failure(LOTSE_UNSUPPORTED, "this runtime cannot change limits while a container runs");
}

void HttpEngine::ping(std::function<void(bool)> done) {
  constexpr int64_t kPatienceNs = 5'000'000'000;
  auto status = std::make_shared<int>(0);
  HttpHandler handler;
  handler.on_head = [status](int code, bool) { *status = code; };
  handler.on_end = [status, done = std::move(done)](const Verdict& verdict) { done(verdict.ok() && *status == 200); };
  api.start(api.request("GET", "/_ping"), std::move(handler), Reactor::now_ns() + kPatienceNs);
}

Co<HttpAnswer> HttpEngine::call(const char* method, std::string path, int64_t deadline_ns) {
  return api.call(api.request(method, path), deadline_ns);
}
Co<HttpAnswer> HttpEngine::call(const char* method, std::string path, Msg body, int64_t deadline_ns) {
  return api.call(api.request(method, path, body), deadline_ns);
}
Co<Outcome<HttpAnswer>> HttpEngine::try_call(const char* method, std::string path, int64_t deadline_ns) {
  return api.try_call(api.request(method, path), deadline_ns);
}
Co<Outcome<HttpAnswer>> HttpEngine::try_call(const char* method, std::string path, Msg body, int64_t deadline_ns) {
  return api.try_call(api.request(method, path, body), deadline_ns);
}

Co<Outcome<ContainerFacts>> HttpEngine::inspect(std::string id, int64_t deadline_ns) {
  Failure none{LOTSE_NOT_FOUND, "there is no container " + id};
  if (!is_full_id(id)) co_return none;
  auto answer = co_await try_call("GET", "/containers/" + id + "/json", deadline_ns);
  if (!answer.ok() && answer.code() == LOTSE_NOT_FOUND) co_return none;
  if (!answer.ok()) co_return answer.failure();
  ContainerFacts facts = dialect->facts(answer->json());
  if (facts.id != id || label_of(facts.labels, mark::kOwner) != settings.machine.owner) co_return none;
  co_return facts;
}

Co<std::vector<ContainerFacts>> HttpEngine::list(Texts labels, int64_t deadline_ns) {
  Msg wanted = Msg::array({std::string(mark::kOwner) + "=" + settings.machine.owner});
  for (auto& [key, value] : labels) wanted.push(key + "=" + value);
  std::string filters = json_text(Msg::map({{"label", wanted}}));
  auto answer = co_await call("GET", "/containers/json?all=true&filters=" + percent_encode(filters), deadline_ns);
  std::vector<ContainerFacts> out;
  Json listed = answer.json();
  for (auto& item : listed.items()) {
    auto facts = co_await inspect(item["Id"].text(), deadline_ns);
    if (!facts.ok() && facts.code() == LOTSE_NOT_FOUND) continue;  // gone meanwhile
    out.push_back(std::move(facts).take());
  }
  co_return out;
}

Co<Done> HttpEngine::kill_and_wait(std::string id, int64_t deadline_ns) {
  auto facts = co_await inspect(id, deadline_ns);
  if (!facts.ok() && facts.code() == LOTSE_NOT_FOUND) co_return Done{};
  if (!facts.ok()) facts.failure().raise();
  if (facts->state != ContainerFacts::State::running) co_return Done{};
  // Not running any more, or gone: what is waited for.
  auto killed = co_await try_call("POST", "/containers/" + id + "/kill?signal=KILL", deadline_ns);
  bool ended = !killed.ok() && (killed.code() == LOTSE_CONFLICT || killed.code() == LOTSE_NOT_FOUND);
  if (!killed.ok() && !ended && killed.code() != LOTSE_UNKNOWN) killed.failure().raise();
  auto waited = co_await try_call("POST", dialect->wait_path(id), deadline_ns);
  if (!waited.ok() && waited.code() != LOTSE_NOT_FOUND) waited.failure().raise();
  co_return Done{};
}

}  // namespace lotse::engine_http
