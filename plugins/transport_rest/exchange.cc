#include "plugins/transport_rest/exchange.h"

namespace lotse::transport_rest {

struct Exchange::State {
  Door door;
  ExchangeUser* user = nullptr;  // this and what follows: the connection's thread only
  uint64_t id = 0;
  bool submitting = false, answered = false, stream_unopened = false;
  std::optional<Answer> at_once;

  void arrive(Answer answer) {
    answered = true;
    stream_unopened = answer.streams;
    if (user) {
      user->on_answer(std::move(answer));
    } else if (stream_unopened) {
      give_up();
    }
  }
  void give_up() {
    stream_unopened = false;
    door.api->cancel(door.api->self, id);
  }
};

namespace {

std::string text_of(lotse_bytes bytes) { return {static_cast<const char*>(bytes.data), bytes.size}; }

Answer answer_of(const lotse_api_response& response, uint64_t stream_id) {
  Answer answer;
  answer.status = response.status;
  answer.content_type = text_of(response.content_type);
  for (size_t i = 0; i < response.header_count; ++i) {
    answer.headers.emplace_back(text_of(response.headers[i].key), text_of(response.headers[i].value));
  }
  answer.body = Body(response.body, response.body_count, response.release, response.release_ctx);
  answer.streams = response.streams != 0;
  answer.upgrade = response.upgrade;
  answer.stream_id = stream_id;
  return answer;
}

}  // namespace

Exchange::Exchange(const Door& door, ExchangeUser& user) : state_(std::make_shared<State>()) {
  state_->door = door;
  state_->user = &user;
}

Exchange::~Exchange() {
  state_->user = nullptr;
  if (!state_->answered && state_->id != 0) state_->door.api->cancel(state_->door.api->self, state_->id);
  else if (state_->stream_unopened) state_->give_up();
}

std::optional<Answer> Exchange::submit(const lotse_api_request& request) {
  const Door& door = state_->door;
  door.outstanding->add();
  const lotse_api_reply reply{sizeof reply, 0, new std::shared_ptr<State>(state_), respond};
  state_->submitting = true;
  state_->id = door.api->submit(door.api->self, &request, &reply);
  state_->submitting = false;
  if (!state_->at_once) return std::nullopt;
  state_->answered = true;
  state_->stream_unopened = state_->at_once->streams;
  return std::exchange(state_->at_once, std::nullopt);
}

void Exchange::take_stream() { state_->stream_unopened = false; }

void Exchange::respond(void* ctx, const lotse_api_response* response, uint64_t stream_id) {
  auto* held = static_cast<std::shared_ptr<State>*>(ctx);
  const std::shared_ptr<State> state = std::move(*held);
  delete held;
  Answer answer = answer_of(*response, stream_id);
  Outstanding* outstanding = state->door.outstanding;
  if (state->door.executor->is_here() && state->submitting) {
    state->at_once = std::move(answer);
    return outstanding->remove();
  }
  auto kept = std::make_shared<Answer>(std::move(answer));
  state->door.executor->post([state, kept, outstanding] {
    state->arrive(std::move(*kept));
    outstanding->remove();
  });
}

}  // namespace lotse::transport_rest
