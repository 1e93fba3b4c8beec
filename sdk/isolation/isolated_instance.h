// IsolatedInstance: a plugin that runs in a lotse-plugin-host, started again with growing pauses whenever it ends. While there is none,
// calls fail with LOTSE_UNAVAILABLE and a sentence that says why.
//
// Threads: one of its own, on which all callbacks come.
#pragma once
#include <condition_variable>
#include <memory>
#include <thread>

#include "sdk/isolation/host_process.h"
#include "sdk/isolation/table.h"

namespace lotse::isolation {

// What the program is to make. MessagePack map of the same names.
struct Description {
  std::string path;  // of the plugin
  std::string kind, name, daemon_dir, run_dir, node_name, values;
  int64_t log_level = 1;
  int64_t memory = 0;  // bytes; 0: no limit
  std::string encode() const;
};

class IsolatedInstance : public Table {
 public:
  struct Settings {
    std::string program;
    Description description;
    int64_t patience_ns = 10'000'000'000;
    int64_t create_ns = 60'000'000'000;  // how long the first answer may take
    int64_t pause_ns = 1'000'000'000;    // before a new start; doubles with each that comes soon after the one before
    int64_t pause_max_ns = 60'000'000'000;
    bool restart = true;
    HostProcess::Listener listener;
    std::function<void(const HostProcess::Ended&)> ended;  // and is started again
    std::function<void()> back;  // it runs again
  };
  // The instance once it is there (the first start), or nullptr with *why. Ended by its destroy().
  static const lotse_instance* make(Settings settings, std::string* why, int32_t* code);

 private:
  IsolatedInstance(const Functions& functions, Settings settings) : Table(functions), settings_(std::move(settings)) {}
  std::shared_ptr<NearEnd> near(std::string* why) override;
  void destroy() override;
  int32_t reconfigure(lotse_bytes config, lotse_error* error) override;

  void run();
  HostProcess::Ended run_once();
  const HostProcess::Ended& tell(const HostProcess::Ended& ended);
  void created(const std::shared_ptr<NearEnd>& end, int32_t code, std::string_view why);
  bool pause(int64_t ns);  // false: it is to end

  Settings settings_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::shared_ptr<NearEnd> near_;
  std::shared_ptr<HostProcess> process_;
  std::string why_ = "it is starting";
  bool stopping_ = false, first_ = true;
  int32_t first_code_ = LOTSE_OK;
  std::string first_why_;
  std::thread thread_;
};

}  // namespace lotse::isolation
