// Where the files of a pod lie.
#pragma once
#include <string>

namespace lotse::agent {

struct PodDirs {
  std::string root;  // DIR/pods/UID
  std::string logs;  // LOGS/NAMESPACE_NAME_UID
  std::string hosts() const { return root + "/etc-hosts"; }
  std::string volume(const std::string& kind, const std::string& name) const {
    return root + "/volumes/" + kind + "/" + name;
  }
  std::string container(const std::string& name) const { return root + "/containers/" + name; }
  std::string termination_log(const std::string& name, int attempt) const {
    return container(name) + "/" + std::to_string(attempt);
  }
  std::string log_of(const std::string& name, int attempt) const {
    return logs + "/" + name + "/" + std::to_string(attempt) + ".log";
  }
};

inline PodDirs pod_dirs(const std::string& data_dir, const std::string& log_dir, const std::string& ns,
                        const std::string& name, const std::string& uid) {
  return {data_dir + "/pods/" + uid, log_dir + "/" + ns + "_" + name + "_" + uid};
}

}  // namespace lotse::agent
