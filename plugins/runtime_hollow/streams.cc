// exec, exec_sync, image_pull and events of hollow containers: answers that the script gives, at once.
#include "lotse/request.hpp"
#include "plugins/runtime_hollow/runtime.h"

namespace lotse::runtime_hollow {
namespace {

// Says what it has to say as soon as there is credit for it, and ends.
class OneAnswer : public sdk::Producer {
 public:
  OneAnswer(const sdk::Host& host, std::string output, Msg result)
      : Producer(host), output_(std::move(output)), result_(std::move(result)) {}

 protected:
  void on_open() override {
    if (output_.empty()) end(result_);
  }
  void on_credit() override {
    if (send(LOTSE_STDOUT, output_)) end(result_);
  }
  bool on_write(uint32_t channel, std::string_view data) override {
    consumed(data.size());  // as into /dev/null
    return channel == LOTSE_STDIN;
  }
  bool on_control(uint32_t, const Msg&) override { return true; }

 private:
  const std::string output_;
  const Msg result_;
};

}  // namespace

Container HollowRuntime::copy_of_running(const Msg& request) {
  std::string id = sdk::need_text(request, "id");
  if (sdk::get_texts(request, "command").empty()) sdk::refuse("the key \"command\" is missing");
  std::lock_guard lock(mutex_);
  Container& c = pods_.need_container(id);
  if (c.state != Container::kRunning) throw sdk::Failure(LOTSE_CONFLICT, "the container " + id + " is not running");
  return c;
}

void HollowRuntime::exec_sync(const Msg& request, sdk::Call call) {
  Container c = copy_of_running(request);
  call.done(
      Msg::map({{"exit_code", c.rule.ready ? 0 : 1}, {"stdout", Msg::bin(c.rule.out)}, {"stderr", Msg::bin("")}}));
}

sdk::ProducerPtr HollowRuntime::exec(const Msg& request) {
  Container c = copy_of_running(request);
  return std::make_shared<OneAnswer>(host(), c.rule.out, Msg::map({{"exit_code", c.rule.ready ? 0 : 1}}));
}

sdk::ProducerPtr HollowRuntime::attach(const Msg& request) {
  sdk::need_text(request, "id");
  throw sdk::Failure(LOTSE_UNSUPPORTED, "a hollow container has no process to attach to");
}

sdk::ProducerPtr HollowRuntime::port_forward(const Msg& request) {
  sdk::need_text(request, "sandbox");
  sdk::need_int(request, "port", 1, 65535);
  throw sdk::Failure(LOTSE_UNSUPPORTED, "a hollow pod listens on no port");
}

sdk::ProducerPtr HollowRuntime::image_pull(const Msg& request) {
  return std::make_shared<OneAnswer>(host(), "", Msg::map({{"id", image_id(sdk::need_text(request, "image"))}}));
}

sdk::ProducerPtr HollowRuntime::events(const Msg&) {
  return events_.open();
}

}  // namespace lotse::runtime_hollow
