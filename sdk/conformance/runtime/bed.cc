#include <time.h>
#include <unistd.h>

#include <memory>

#include "sdk/conformance/runtime/cases.h"
#include "sdk/conformance/runtime/loopback.h"

namespace lotse::conformance {

struct RuntimeBed::Impl {
  std::function<const lotse_runtime*()> make;
  bool loopback = false;
  const lotse_runtime* inner = nullptr;
  std::unique_ptr<Loopback> outer;
  std::vector<std::string> sandboxes;

  void begin() {
    inner = make();
    if (loopback) outer = std::make_unique<Loopback>(inner);
  }
  void end() {
    outer.reset();
    if (inner != nullptr) inner->base.destroy(inner->base.self);
    inner = nullptr;
  }
};

RuntimeBed::RuntimeBed(const RuntimeSetting& setting, std::function<const lotse_runtime*()> make, bool loopback)
    : setting_(setting), impl_(new Impl{std::move(make), loopback, nullptr, nullptr, {}}) {
  impl_->begin();
}

RuntimeBed::~RuntimeBed() {
  for (auto& id : impl_->sandboxes) {
    try {
      ask(&lotse_runtime::sandbox_stop, Msg::map({{"id", id}}));
      ask(&lotse_runtime::sandbox_remove, Msg::map({{"id", id}}));
    } catch (const Wrong&) {
    }
  }
  impl_->end();
  delete impl_;
}

void RuntimeBed::restart() {
  impl_->end();
  impl_->begin();
}

const lotse_runtime* RuntimeBed::runtime() const {
  return impl_->outer ? impl_->outer->runtime() : impl_->inner;
}

Answer RuntimeBed::ask(lotse_message_fn lotse_runtime::*function, const Msg& request, int64_t timeout_ns) {
  return call(runtime(), runtime()->*function, request.encode(), timeout_ns);
}

Msg RuntimeBed::must(lotse_message_fn lotse_runtime::*function, const Msg& request, int64_t timeout_ns) {
  Answer answer = ask(function, request, timeout_ns);
  require(answer.ok(), "a call failed with code " + std::to_string(answer.code) + ": " + answer.text);
  return answer.value;
}

Msg RuntimeBed::sandbox_request(const std::string& name) {
  return Msg::map({{"uid", "uid-" + name},
                   {"namespace", "lotse-check"},
                   {"name", name},
                   {"attempt", 0},
                   {"hostname", name},
                   {"log_dir", setting_.directory},
                   {"cgroup_parent", setting_.cgroup_parent},
                   {"host_network", false},
                   {"host_pid", false},
                   {"host_ipc", false},
                   {"share_pid", false},
                   {"labels", Msg::map({{"app", "check"}})},
                   {"annotations", Msg::map({{"note", "kept"}})},
                   {"image", setting_.pause_image},
                   {"cni", setting_.cni}});
}

std::string RuntimeBed::sandbox(const std::string& name) {
  Msg made = must(&lotse_runtime::sandbox_run, sandbox_request(name));
  std::string id = made["id"].str();
  require(!id.empty(), "sandbox_run gave no id");
  impl_->sandboxes.push_back(id);
  return id;
}

Msg RuntimeBed::container_request(const std::string& sandbox, const std::string& name,
                                  const std::vector<std::string>& command) {
  return Msg::map({{"sandbox", sandbox},
                   {"name", name},
                   {"attempt", 0},
                   {"image", setting_.image},
                   {"command", Msg::strings(command)},
                   {"env", Msg::array({Msg::array({"GREETING", "hello"})})},
                   {"labels", Msg::map({{"tier", "one"}})},
                   {"log_path", name + ".log"},
                   {"cgroup_parent", setting_.cgroup_parent},
                   {"stdin", false},
                   {"stdin_once", false},
                   {"tty", false}});
}

std::string RuntimeBed::container(const Msg& request) {
  std::string id = must(&lotse_runtime::container_create, request)["id"].str();
  require(!id.empty(), "container_create gave no id");
  return id;
}

std::string RuntimeBed::running(const std::string& sandbox, const std::string& name,
                                const std::vector<std::string>& command) {
  std::string id = container(container_request(sandbox, name, command));
  must(&lotse_runtime::container_start, Msg::map({{"id", id}}));
  return id;
}

Msg RuntimeBed::status(const std::string& container) {
  return must(&lotse_runtime::container_status, Msg::map({{"id", container}}));
}

Msg RuntimeBed::until(const std::string& container, const std::string& state) {
  for (int i = 0; i < 400; i++) {
    Msg now = status(container);
    if (now["state"].as_text() == state) return now;
    usleep(50'000);
  }
  throw Wrong{"the container did not become " + state + " but is " + status(container)["state"].str()};
}

std::string RuntimeBed::log_path(const std::string& container_name) const {
  return setting_.directory + "/" + container_name + ".log";
}

std::vector<RuntimeCase> runtime_cases() {
  std::vector<RuntimeCase> all;
  for (auto& some : {hostile_cases(), image_cases(), lifecycle_cases(), stream_cases()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

std::string run_case(const RuntimeCase& c, const RuntimeSetting& setting,
                     const std::function<const lotse_runtime*()>& make, bool loopback) {
  try {
    RuntimeBed bed(setting, make, loopback);
    c.run(bed);
    return {};
  } catch (const Wrong& wrong) {
    return wrong.what;
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace lotse::conformance
