#include "plugins/transport_rest/http_protocol.h"

#include "plugins/transport_rest/gzip_source.h"
#include "plugins/transport_rest/host_stream.h"
#include "plugins/transport_rest/port_stream.h"

namespace lotse::transport_rest {
namespace {

bool has_no_body(uint32_t status) { return status < 200 || status == 204 || status == 304; }

bool is_unchanged(const HttpRequest& http, const Answer& answer) {
  if (answer.status != 200 || (http.method != "GET" && http.method != "HEAD")) return false;
  const std::string* tag = find_header(answer.headers, "ETag");
  return tag && http.list_has("If-None-Match", *tag);
}

}  // namespace

HttpProtocol::HttpProtocol(const Door& door, const HttpLimits& limits, Peer peer) : door_(door), limits_(limits), peer_(std::move(peer)) {}

void HttpProtocol::begin(Link& link) {
  link_ = &link;
  link.wait(Wait::kHead);  // the first request must come soon; later ones may take the idle time
}

size_t HttpProtocol::receive(std::string_view bytes) {
  size_t used = 0;
  bool more = true;  // false: an incomplete line waits for the rest of it
  while (more && used < bytes.size() && state_ == State::kReading && link_->backlog() < kHighWaterBytes) {
    const size_t n = read(bytes.substr(used));
    used += n;
    more = n > 0;
  }
  return state_ == State::kDone ? bytes.size() : used;
}

// Reads on in the request; a step ends with it, or when the bytes do.
size_t HttpProtocol::read(std::string_view bytes) {
  const bool is_new = !parser_;
  if (is_new) {
    parser_ = std::make_unique<RequestParser>(limits_);
    continued_ = false;
  }
  const bool had_head = parser_->head_done();
  const size_t n = parser_->feed(bytes);
  if (parser_->refusal()) {
    refuse(Refusal(*parser_->refusal()), true);
    return n;
  }
  if (parser_->done()) {
    dispatch();
    return n;
  }
  if (parser_->head_done() && !had_head) {
    link_->wait(Wait::kBody);
    if (parser_->request().expects_continue && !std::exchange(continued_, true)) link_->send("HTTP/1.1 100 Continue\r\n\r\n");
  } else if (is_new) {
    link_->wait(Wait::kHead);
  }
  return n;
}

bool HttpProtocol::wants_input() const {
  // Also while the host is asked: that is how one hears that the client has gone.
  return state_ == State::kDone || link_->backlog() < kHighWaterBytes;
}

void HttpProtocol::dispatch() {
  request_ = std::make_shared<ApiRequest>();
  request_->http = std::move(parser_->request());
  parser_.reset();
  if (auto refusal = request_->understand()) return refuse(*refusal, false);
  state_ = State::kAsking;
  exchange_ = std::make_unique<Exchange>(door_, static_cast<ExchangeUser&>(*this));
  std::optional<Answer> now;
  request_->hand_over(peer_, std::nullopt, [&](const lotse_api_request& raw) { now = exchange_->submit(raw); });
  if (now) answer(std::move(*now));
  else link_->wait(Wait::kNothing);
}

void HttpProtocol::on_answer(Answer late) {
  answer(std::move(late));
  link_->resume();
}

void HttpProtocol::answer(Answer answer) {
  if (answer.streams && answer.upgrade != LOTSE_UPGRADE_NONE) return upgrade(std::move(answer));
  if (answer.streams && asks_for_websocket(request_->http)) return switch_to(plan_push(*request_, opener(answer.stream_id)));
  if (answer.streams && request_->http.method != "HEAD") return send_stream(std::move(answer));
  send_whole(std::move(answer));
}

ResponseHead HttpProtocol::head_of(const Answer& answer) const {
  ResponseHead head;
  head.status = answer.status;
  head.content_type = answer.content_type;
  head.headers = &answer.headers;
  head.http11 = request_->http.http11;
  head.close = close_next_ || !request_->http.keep_alive;
  return head;
}

void HttpProtocol::send_whole(Answer answer) {
  if (is_unchanged(request_->http, answer)) answer.status = 304;
  ResponseHead head = head_of(answer);
  head.content_length = answer.body.size();
  const bool bare = has_no_body(answer.status), is_head = request_->http.method == "HEAD";
  if (bare) head.length = Length::kNone;
  const bool gzip = !bare && !is_head && answer.status == 200 && answer.body.size() >= kGzipBytesMin && head.http11 &&
                    !find_header(answer.headers, "Content-Encoding") && accepts_gzip(request_->http.header("Accept-Encoding"));
  if (gzip) {
    head.gzip = true;
    head.length = Length::kChunked;
  }
  if (answer.streams && is_head) head.length = Length::kNone;
  close_next_ = head.close;
  link_->send(make_head(head));
  if (gzip) link_->send(make_gzip_source(std::move(answer.body)));
  else if (!bare && !is_head) link_->send(std::move(answer.body));
  next_request();
}

void HttpProtocol::send_stream(Answer answer) {
  ResponseHead head = head_of(answer);
  head.length = head.http11 ? Length::kChunked : Length::kUntilClose;
  if (!head.http11) head.close = true;
  close_next_ = head.close;
  link_->send(make_head(head));
  link_->wait(Wait::kNothing);
  state_ = State::kStreaming;
  exchange_->take_stream();
  push_ = std::make_unique<PushStream>(*link_, head.http11 ? Framing::kChunks : Framing::kBare, request_->info.verb == LOTSE_VERB_WATCH,
                                       [this](bool complete) {
                                         if (!complete) return link_->finish();
                                         next_request();
                                         link_->resume();
                                       });
  push_->start(opener(answer.stream_id));
}

void HttpProtocol::upgrade(Answer answer) {
  switch_to(plan_upgrade(*request_, answer, opener(answer.stream_id), port_opener()));
}

void HttpProtocol::switch_to(std::variant<Upgrade, Refusal> plan) {
  if (const auto* refusal = std::get_if<Refusal>(&plan)) return refuse(*refusal, true);
  auto& granted = std::get<Upgrade>(plan);
  if (granted.uses_stream) exchange_->take_stream();
  exchange_.reset();  // port-forward: this stream is given up, others follow
  state_ = State::kDone;
  link_->send(std::move(granted.head));
  link_->become(std::move(granted.protocol));
}

OpenStream HttpProtocol::opener(uint64_t stream_id) {
  return [door = door_, stream_id](StreamUser& user) { return open_host_stream(door, stream_id, user); };
}

OpenPort HttpProtocol::port_opener() {
  return [door = door_, request = request_, peer = peer_](uint16_t port, StreamUser& user) { return open_port(door, request, peer, port, user); };
}

void HttpProtocol::refuse(const Refusal& refusal, bool close) {
  const std::string text = status_json(refusal);
  Headers headers;
  if (!refusal.allow.empty()) headers.emplace_back("Allow", refusal.allow);
  ResponseHead head;
  head.status = refusal.status;
  head.content_type = "application/json";
  head.headers = &headers;
  head.content_length = text.size();
  head.close = close || close_next_ || (request_ && !request_->http.keep_alive);
  close_next_ = head.close;
  link_->send(make_head(head) + (request_ && request_->http.method == "HEAD" ? "" : text));
  next_request();
}

void HttpProtocol::next_request() {
  parser_.reset();
  exchange_.reset();
  request_.reset();
  if (close_next_) {
    state_ = State::kDone;
    return link_->finish();
  }
  state_ = State::kReading;
  link_->wait(Wait::kIdle);
}

void HttpProtocol::drained() {
  if (push_ && state_ == State::kStreaming) push_->drained();
  else if (state_ == State::kReading) link_->resume();  // a client that pipelines
}

void HttpProtocol::peer_finished() {
  state_ = State::kDone;
  link_->abort();
}

void HttpProtocol::expired(Wait what) {
  if ((what == Wait::kHead || what == Wait::kBody) && parser_ && parser_->started()) {
    return refuse(Refusal{408, "the request took too long to come"}, true);
  }
  link_->abort();
}

void HttpProtocol::wind_down(bool going) {
  close_next_ = true;
  if (!going || going_) return;
  going_ = true;
  if (state_ == State::kReading && !parser_) {
    state_ = State::kDone;
    link_->finish();
  } else if (state_ == State::kStreaming) {
    push_->stop();
  }
}

}  // namespace lotse::transport_rest
