// What every container runtime must do. Each case gets a bed of its own and says in a sentence what is wrong, or
// nothing.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "sdk/conformance/runtime/client.h"

namespace lotse::conformance {

// What the suite needs from where it runs.
struct RuntimeSetting {
  std::string directory;        // for log files
  std::string image;            // a busybox with sh, cat, stty, httpd, tail; present
  std::string pause_image;      // present
  std::string archive;          // a tar with another image, ...
  std::string archive_image;    // ... of this name
  std::string corrupt_archive;  // a tar with an image of which a layer is not what its digest says
  std::string cni;              // the directory of a CNI list
  std::string cgroup_parent;
  bool processes = true;  // false: nothing really runs (hollow), cases that need it are left out
};

class RuntimeBed {
 public:
  // make: a new instance over the same state; the old one has ended by then.
  RuntimeBed(const RuntimeSetting& setting, std::function<const lotse_runtime*()> make, bool loopback);
  ~RuntimeBed();  // removes what the case has made
  void restart();

  const RuntimeSetting& setting() const { return setting_; }
  const lotse_runtime* runtime() const;

  Answer ask(lotse_message_fn lotse_runtime::*function, const Msg& request, int64_t timeout_ns = 0);
  Msg must(lotse_message_fn lotse_runtime::*function, const Msg& request, int64_t timeout_ns = 0);  // or Wrong

  Msg sandbox_request(const std::string& name);
  std::string sandbox(const std::string& name);
  Msg container_request(const std::string& sandbox, const std::string& name, const std::vector<std::string>& command);
  std::string container(const Msg& request);  // created
  std::string running(const std::string& sandbox, const std::string& name, const std::vector<std::string>& command);
  Msg status(const std::string& container);
  // Waits until the container has this state.
  Msg until(const std::string& container, const std::string& state);
  std::string log_path(const std::string& container_name) const;

 private:
  struct Impl;
  RuntimeSetting setting_;
  Impl* impl_;
};

struct RuntimeCase {
  const char* name;
  const char* says;
  bool needs_processes;
  void (*run)(RuntimeBed& bed);  // throws Wrong
};
std::vector<RuntimeCase> runtime_cases();
std::vector<RuntimeCase> lifecycle_cases();
std::vector<RuntimeCase> stream_cases();
std::vector<RuntimeCase> image_cases();
std::vector<RuntimeCase> hostile_cases();

// "" or the sentence.
std::string run_case(const RuntimeCase& c, const RuntimeSetting& setting,
                     const std::function<const lotse_runtime*()>& make, bool loopback);

}  // namespace lotse::conformance
