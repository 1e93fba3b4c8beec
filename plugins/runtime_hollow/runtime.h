// HollowRuntime: pods without containers. What is asked for exists at once, runs, and ends as a script says.
#pragma once
#include <map>
#include <mutex>
#include <vector>

#include "lotse/runtime.hpp"
#include "plugins/runtime_hollow/events.h"
#include "plugins/runtime_hollow/pods.h"

namespace lotse::runtime_hollow {

class HollowRuntime : public sdk::Runtime {
 public:
  HollowRuntime(const sdk::Host& host, const sdk::Config& config);
  ~HollowRuntime() override;
  static std::vector<lotse_key> keys();

  void info(const Msg&, sdk::Call) override;
  void sandbox_run(const Msg&, sdk::Call) override;
  void sandbox_stop(const Msg&, sdk::Call) override;
  void sandbox_remove(const Msg&, sdk::Call) override;
  void sandbox_status(const Msg&, sdk::Call) override;
  void sandbox_list(const Msg&, sdk::Call) override;
  void container_create(const Msg&, sdk::Call) override;
  void container_start(const Msg&, sdk::Call) override;
  void container_stop(const Msg&, sdk::Call) override;
  void container_remove(const Msg&, sdk::Call) override;
  void container_status(const Msg&, sdk::Call) override;
  void container_list(const Msg&, sdk::Call) override;
  void container_update(const Msg&, sdk::Call) override;
  void container_stats(const Msg&, sdk::Call) override;
  void container_reopen_log(const Msg&, sdk::Call) override;
  void exec_sync(const Msg&, sdk::Call) override;
  void image_import(const Msg&, sdk::Call) override;
  void image_status(const Msg&, sdk::Call) override;
  void image_list(const Msg&, sdk::Call) override;
  void image_remove(const Msg&, sdk::Call) override;
  void image_fs(const Msg&, sdk::Call) override;
  sdk::ProducerPtr exec(const Msg&) override;
  sdk::ProducerPtr attach(const Msg&) override;
  sdk::ProducerPtr port_forward(const Msg&) override;
  sdk::ProducerPtr events(const Msg&) override;
  sdk::ProducerPtr image_pull(const Msg&) override;

 private:
  struct Told {
    const char *kind, *event;
    std::string id, sandbox;
    int64_t time;
  };
  void tell(const std::vector<Told>& events);
  void begin_to_run(const std::string& id, uint64_t run);
  void end_by_itself(const std::string& id, uint64_t run);
  void after(const std::string& id, uint64_t run, int64_t delay_ms,
             void (HollowRuntime::*then)(const std::string&, uint64_t));
  void drop_timer(const std::string& id, std::vector<sdk::Host::Timer>* out);
  void stop_all_of(const std::string& sandbox, std::vector<Told>* told);
  Container copy_of_running(const Msg& request);

  Script script_;
  std::mutex mutex_;  // guards what follows; never held while the host is called
  Pods pods_;
  std::map<std::string, sdk::Host::Timer> timers_;  // by container
  std::map<std::string, std::vector<sdk::Call>> starting_;
  Events events_;
};

}  // namespace lotse::runtime_hollow
