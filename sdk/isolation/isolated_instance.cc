#include "sdk/isolation/isolated_instance.h"

#include <cstring>
#include <future>

#include "lotse/error.hpp"
#include "lotse/msgpack.hpp"

namespace lotse::isolation {
namespace {
constexpr int64_t kStopMax = 10'000'000'000;
}

std::string Description::encode() const {
  return sdk::Msg::map({{"path", path},
                        {"kind", kind},
                        {"name", name},
                        {"daemon_dir", daemon_dir},
                        {"run_dir", run_dir},
                        {"node_name", node_name},
                        {"log_level", log_level},
                        {"memory", memory},
                        {"values", sdk::Msg::bin(values)}})
      .encode();
}

const lotse_instance* IsolatedInstance::make(Settings settings, std::string* why, int32_t* code) {
  const Functions* functions = functions_of(settings.description.kind);
  if (!functions) {
    *why = "plugins of the kind " + settings.description.kind + " cannot run in a process of their own";
    *code = LOTSE_UNSUPPORTED;
    return nullptr;
  }
  auto* made = new IsolatedInstance(*functions, std::move(settings));
  made->thread_ = std::thread([made] { made->run(); });
  {
    std::unique_lock lock(made->mutex_);
    made->changed_.wait(lock, [&] { return !made->first_; });
    *code = made->first_code_;
    *why = made->first_why_;
  }
  if (*code == LOTSE_OK) return made->instance();
  made->destroy();
  return nullptr;
}

std::shared_ptr<NearEnd> IsolatedInstance::near(std::string* why) {
  std::lock_guard lock(mutex_);
  if (!near_) *why = why_;
  return near_;
}

void IsolatedInstance::destroy() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    if (process_) process_->stop(kStopMax);
    changed_.notify_all();
  }
  thread_.join();
  delete this;
}

int32_t IsolatedInstance::reconfigure(lotse_bytes config, lotse_error* error) {
  std::string why;
  auto end = near(&why);
  auto outcome = std::make_shared<std::promise<std::pair<int32_t, std::string>>>();
  auto come = outcome->get_future();
  const std::string values(sdk::view(config));
  if (end)
    end->ask(FrameType::kReconfigure, values, settings_.create_ns,
             [outcome](int32_t code, std::string_view text) { outcome->set_value({code, std::string(text)}); });
  else
    outcome->set_value({LOTSE_UNAVAILABLE, why});
  const auto [code, text] = come.get();
  if (code == LOTSE_OK) {
    std::lock_guard lock(mutex_);
    settings_.description.values = values;
  } else if (error) {
    error->code = code;
    std::strncpy(error->message, text.c_str(), sizeof error->message - 1);
  }
  return code;
}

bool IsolatedInstance::pause(int64_t ns) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, std::chrono::nanoseconds(ns), [&] { return stopping_; });
}

void IsolatedInstance::created(const std::shared_ptr<NearEnd>& end, int32_t code, std::string_view why) {
  bool again;
  {
    std::lock_guard lock(mutex_);
    again = !first_;
    if (first_) first_code_ = code, first_why_ = why;
    first_ = false;
    if (code == LOTSE_OK)
      near_ = end;
    else if (process_)
      process_->kill();
    changed_.notify_all();
  }
  if (again && code == LOTSE_OK && settings_.back) settings_.back();
}

HostProcess::Ended IsolatedInstance::run_once() {
  auto process = std::make_shared<HostProcess>();
  if (std::string why = process->spawn(settings_.program); !why.empty())
    return tell({HostProcess::End::kCrashed, "could not be started: " + why});
  NearEnd::Settings near_settings;
  near_settings.send = [process](const Frame& f) { process->send(f); };
  near_settings.check_sooner = [process] { process->wake(); };
  near_settings.patience_ns = settings_.patience_ns;
  auto end = std::make_shared<NearEnd>(std::move(near_settings));
  std::string description;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return {};
    process_ = process;
    description = settings_.description.encode();
  }
  std::string refused;
  end->ask(FrameType::kCreate, std::move(description), settings_.create_ns, [&](int32_t code, std::string_view why) {
    if (code != LOTSE_OK) refused = "could not be created: " + std::string(why);
    created(end, code, why);
  });
  HostProcess::Ended ended = process->run(*end, settings_.listener);
  if (!refused.empty()) ended = {HostProcess::End::kCrashed, refused};
  {
    std::lock_guard lock(mutex_);
    near_.reset();
    process_.reset();
    why_ = "the " + settings_.description.kind + " plugin '" + settings_.description.name +
           "' runs in a process of its own, which " + ended.sentence + "; it is started again soon";
  }
  tell(ended);
  end->fail(why_);
  return ended;
}

// Before anybody's call fails because of it.
const HostProcess::Ended& IsolatedInstance::tell(const HostProcess::Ended& ended) {
  bool matters;
  {
    std::lock_guard lock(mutex_);
    matters = !first_ && !stopping_ && first_code_ == LOTSE_OK && settings_.restart;
  }
  if (matters && settings_.ended) settings_.ended(ended);
  return ended;
}

void IsolatedInstance::run() {
  int64_t wait = settings_.pause_ns;
  for (;;) {
    const int64_t began = monotonic_now();
    const HostProcess::Ended ended = run_once();
    {
      std::lock_guard lock(mutex_);
      if (first_) {  // it did not come as far as to be created
        first_ = false;
        first_code_ = LOTSE_INTERNAL;
        first_why_ = "its process " + ended.sentence;
        changed_.notify_all();
      }
      if (stopping_ || first_code_ != LOTSE_OK || !settings_.restart) break;
    }
    wait = monotonic_now() - began > settings_.pause_max_ns ? settings_.pause_ns : wait;
    if (!pause(wait)) break;
    wait = std::min(wait * 2, settings_.pause_max_ns);
  }
}

}  // namespace lotse::isolation
